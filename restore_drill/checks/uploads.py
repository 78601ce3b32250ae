"""Check 6, upload count: every file is restored with its bytes, and no attachment of WordPress lacks its file."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from backup.filelist import FileEntry, parse_list
from backup.manifest import FileSet, Site
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.result import Result
from restore_drill.checks.file_tree import compare, count_files
from restore_drill.checks.names import quoted
from restore_drill.checks.needs import need_files, need_server, restored_secret
from restore_drill.checks.tally import Tally, sentence
from restore_drill.checks.view import inside
from restore_drill.checks.wordpress import evaluate, wordpress_sites
from restore_drill.restored import CouldNotRunError, Restored
from restore_drill.scratch import ScratchServer

_SITE_NUMBER = re.compile(r"(\d+)_postmeta\Z")


class Uploads:
    """Judges the database before replay: attachments that were added later are no failure of the backup's."""

    id = "uploads"
    title = "upload count"

    def run(self, restored: Restored) -> Result:
        """Judge all files. Raises CouldNotRunError when an archive of them could not be opened."""
        tally = Tally(
            "exactly the files that were archived, with their bytes, and a file for each attachment of WordPress"
        )
        need_files(restored)
        self._files(restored, tally)
        uploads = sum(self._count(restored, files, tally) for files in restored.manifest.files)
        sites = wordpress_sites(restored.manifest)
        attachments = sum(self._attachments(restored, site, tally) for site in sites)
        tally.figures |= {"uploads": uploads, "attachments": attachments}
        return tally.result(
            self,
            f"{tally.counted('files', 'file')}, among them {tally.counted('uploads', 'upload')}; "
            f"{tally.counted('attachments', 'attachment')} found",
        )

    def _files(self, restored: Restored, tally: Tally) -> None:
        try:
            found = compare(restored.paths.tree, _entries(restored, tally), restored.manifest.keys)
        except IntegrityError as error:
            tally.problem(error.message)
            tally.figures |= {"files": 0, "bytes": 0}
            return
        tally.figures |= {
            "files": found.files,
            "bytes": found.size,
            "missing": len(found.missing),
            "different": len(found.different),
            "extra": len(found.extra),
        }
        for what, paths in (("missing", found.missing), ("different", found.different), ("extra", found.extra)):
            if paths:
                tally.problem(
                    f"{len(paths)} {what}: {sentence(_printable(path) for path in paths)}",
                    hint="this backup does not hold what its lists say: take a new one and look at the host's disk",
                )

    def _count(self, restored: Restored, files: FileSet, tally: Tally) -> int:
        """The number of regular files below a set's uploads."""
        if files.uploads is None:
            return 0
        count = count_files(inside(restored.paths.tree, files.uploads))
        if count != files.upload_count:
            tally.problem(f"{files.name}: {count} uploads in {files.uploads}, the manifest says {files.upload_count}")
        return count

    def _attachments(self, restored: Restored, site: Site, tally: Tally) -> int:
        """The number of a site's attachments whose file is there."""
        try:
            restored_secret(restored, site.config)
            settings = evaluate(restored.paths, restored.manifest, site)
            attached = list(attached_files(need_server(restored), settings.db_name, settings.table_prefix))
        except OpsError as error:
            tally.unjudged.append(f"{site.name}: its attachments are not known, since {error.message}")
            return 0
        uploads = site.uploads or settings.uploads
        gone = [path for path in attached if not _is_there(restored.paths.tree, f"{uploads}/{path}")]
        if gone:
            tally.problem(
                f"{site.name}: {len(gone)} of {len(attached)} attachments have no file in {uploads}: "
                + sentence(_printable(path) for path in gone),
                hint="does the library show them on the live site? If so, `uploads` or `exclude` in opsctl.toml is "
                "wrong; if not, they were lost before the backup",
            )
        return len(attached) - len(gone)


def _entries(restored: Restored, tally: Tally) -> Iterator[FileEntry]:
    """All entries of all lists, each list as the manifest describes it."""
    for files in restored.manifest.files:
        place = restored.paths.lists / f"files-{files.name}.list"
        if not place.is_file():
            raise CouldNotRunError(f"the list of {files.name} is not there")
        with place.open("rb") as lines:
            digest = hashlib.file_digest(lines, "sha256").hexdigest()
            if digest != files.digest:
                tally.problem(f"the list of {files.name} is not the one that the manifest names")
            lines.seek(0)
            count = 0
            for entry in parse_list(lines, f"the list of {files.name}"):
                count += entry.type in ("file", "hardlink")
                yield entry
        if count != files.files:
            tally.problem(f"the list of {files.name} names {count} files, the manifest says {files.files}")


def attached_files(server: ScratchServer, database: str, prefix: str) -> Iterator[str]:
    """Attachments' files below the uploads: of the site, and of each site of a network, which has its own directory.

    Source: get_attached_file() and wp_upload_dir() in wp-includes.
    """
    pattern = prefix.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + "%postmeta"
    tables = server.query(
        "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME LIKE %s",
        (database, pattern),
    )
    names = [str(row["name"]) for row in tables]
    if f"{prefix}postmeta" not in names:
        raise CouldNotRunError(f"there is no table {prefix}postmeta in {database}")
    for name in names:
        number = _SITE_NUMBER.fullmatch(name.removeprefix(prefix))
        if name != f"{prefix}postmeta" and number is None:
            continue
        folder = f"sites/{number[1]}/" if number else ""
        for row in server.query(
            f"SELECT meta_value AS path FROM {quoted(database, name)} "  # noqa: S608 - names are quoted
            "WHERE meta_key = '_wp_attached_file'"
        ):
            yield folder + str(row["path"])


def _is_there(tree: Path, path: str) -> bool:
    return "\0" not in path and inside(tree, path).is_file()


def _printable(path: str | Path) -> str:
    """A path as a person may see it: what is no text, and controls of a terminal, as escapes."""
    text = str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
