"""Archives of files: one for each planned set with its list, one of all secrets, one of opsctl's own state."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from backup.archive import Archives
from backup.context import Host
from backup.filelist import FileEntry, ListSpool
from backup.keys import Secrets
from backup.manifest import FileSet
from backup.plan import PlannedSet
from backup.tarstream import tar_stream
from backup.tree import Found, Walk
from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.pipeline import Source

TAR = "tar.zst.age"
LIST = "zst.age"
LEDGER = "ledger.sqlite"
ALLOWED_SIGNERS = "allowed_signers"
SETTINGS = "settings"
SNAPSHOT = ".snapshot-"


def archive_set(host: Host, archives: Archives, planned: PlannedSet, secrets: Secrets) -> FileSet:
    """Seal one set and its list. Raises OpsError for what cannot be read."""
    walk = Walk(host.stack.root, planned.paths, secrets, planned.options)
    spool = ListSpool()
    uploads = None if planned.options.uploads is None else str(planned.options.uploads).lstrip("/") + "/"
    uploaded = 0

    def note(entry: FileEntry) -> None:
        nonlocal uploaded
        spool.add(entry)
        if uploads is not None and entry.type in ("file", "hardlink") and entry.path.startswith(uploads):
            uploaded += 1

    name = f"files-{planned.name}"
    with tar_stream(walk, note) as stream:
        archives.seal(name, "files", TAR, [Source(stream)])
    listed = archives.seal(f"{name}.list", "list", LIST, [Source(spool.finish())])
    if walk.left_out:
        host.progress.note(f"{planned.name}: {walk.left_out} sockets, FIFOs or devices are in no archive")
    return FileSet(
        name=planned.name,
        paths=tuple(str(path) for path in planned.paths),
        files=spool.files,
        size=spool.size,
        digest=listed.sealed.plain_sha256,
        changed=stream.changed,
        vanished=walk.vanished,
        left_out=walk.left_out,
        uploads=None if planned.uploads is None else str(planned.uploads),
        upload_count=uploaded,
    )


def archive_keys(host: Host, archives: Archives, secrets: Secrets) -> tuple[str, ...]:
    """Seal all secrets for the recipients of keys; return their paths. Raises OpsError for one that went away."""
    paths = secrets.paths()
    with tar_stream((open_found(secrets.place(path), path) for path in paths), lambda entry: None) as stream:
        archives.seal("keys", "keys", TAR, [Source(stream)])
    return tuple(str(path) for path in paths)


def archive_state(host: Host, archives: Archives) -> None:
    """Seal the ledger, the settings and the list of trusted signers."""
    with _state(host) as found, tar_stream(found, lambda entry: None) as stream:
        archives.seal("state", "state", TAR, [Source(stream)])


@contextlib.contextmanager
def _state(host: Host) -> Iterator[Iterable[Found]]:
    host.machine.state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SNAPSHOT, dir=host.machine.state_dir) as scratch:
        ledger = Path(scratch) / LEDGER
        host.ledger.snapshot(ledger)
        failpoint("backup.after_snapshot")
        places = {Path("/") / LEDGER: ledger, Path("/") / ALLOWED_SIGNERS: host.trust.allowed_signers}
        places |= {Path("/") / SETTINGS / file.resolve().relative_to("/"): file for file in host.settings_files}
        yield (open_found(places[name], name) for name in sorted(places))


def open_found(place: Path, path: Path) -> Found:
    """One file or symbolic link at `place`, under the name `path`. Raises OpsError when it cannot be read."""
    try:
        found = place.lstat()
        if stat.S_ISLNK(found.st_mode):
            return Found(path, "symlink", found, target=os.readlink(place))
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise OpsError(
            f"{path} cannot be read: {error.strerror}",
            where=str(place),
            hint="run opsctl as a user that may read it; if it moved, take the backup again",
        ) from error
    return Found(path, "file", os.fstat(descriptor), descriptor)
