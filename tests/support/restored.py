"""A demo customer as if it had just been restored: its files as the restored tree, a scratch server on its data.

No archive is involved, so that a test of one check can break one thing and put it back within a second.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backup.catalog import Catalog
from backup.codec import Sealed
from backup.manifest import Artefact, Database, FileSet, KnownValueFact, Manifest, Site, Table, WebServer
from backup.settings import ObjectivesSection
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.progress import Silent
from opsctl.core.sandbox import give_to_sandbox
from opsctl.core.signing import Verifier
from opsctl.core.store.directory import DirectoryStore
from opsctl.overview.demo.settings import stack_values
from opsctl.overview.demo.stack import DemoStack
from opsctl.stack.settings import SiteSection
from restore_drill.context import DrillHost
from restore_drill.options import parse_geometry
from restore_drill.paths import ScratchPaths
from restore_drill.prepare import Prepared
from restore_drill.restored import Attempt, Restored, needed
from restore_drill.scratch import ScratchServer
from restore_drill.settings import DrillSection
from restore_drill.steps import serving
from tests.support.file_lists import write_list

KEY_FILE = "/etc/mysql/encryption/keyfile.enc"
FILEKEY_FILE = "/etc/mysql/encryption/keyfile.key"
NGINX_KEYS = tuple(f"/etc/letsencrypt/archive/{name}/privkey1.pem" for name in ("blog.example", "static.example"))
_TABLES = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES"
_KINDS = {"BASE TABLE": "table", "VIEW": "view", "SYSTEM VIEW": "view", "SEQUENCE": "sequence"}
_NGINX = (Path("/etc/nginx"), Path("/etc/letsencrypt"))
_SEALED = Sealed(plain_size=0, plain_sha256="", cipher_size=0, cipher_sha256="")
_ALGORITHM = "file_key_management_encryption_algorithm=AES_CTR\n"


@dataclass
class Fixture:
    """The restore, and the ways to break it."""

    restored: Restored
    directory: Path
    running: AbstractContextManager[Attempt[ScratchServer]]

    @property
    def tree(self) -> Path:
        return self.restored.paths.tree

    def at(self, path: str) -> Path:
        """A file of the restored host."""
        return self.tree / path.lstrip("/")

    @contextlib.contextmanager
    def changed(self, path: str, change: Callable[[str], str]) -> Iterator[None]:
        """Another content for one file while the block runs."""
        file = self.at(path)
        before = file.read_bytes()
        after = change(before.decode()).encode()
        assert after != before, f"the change leaves {path} as it is"
        file.write_bytes(after)
        try:
            yield
        finally:
            file.write_bytes(before)

    @property
    def server(self) -> ScratchServer:
        """The running scratch server."""
        return needed(self.restored.server)

    @contextlib.contextmanager
    def damaged(self, damage: Callable[[ScratchPaths], None]) -> Iterator[None]:
        """The scratch server started anew on damaged data or keys while the block runs; it may fail to start."""
        paths = self.restored.paths
        self.server.stop()
        for name in ("data", "keys"):
            shutil.copytree(paths.root / name, self.directory / name, symlinks=True)
        try:
            damage(paths)
            for name in ("data", "keys"):
                give_to_sandbox(paths.root / name)
            with serving(self.restored):
                yield
        finally:
            for name in ("data", "keys"):
                shutil.rmtree(paths.root / name)
                (self.directory / name).rename(paths.root / name)
                give_to_sandbox(paths.root / name)
            self.running = serving(self.restored)
            self.running.__enter__()

    @contextlib.contextmanager
    def without(self, path: str) -> Iterator[None]:
        """One file (or directory, or link) missing while the block runs."""
        aside = self.directory / "aside"
        self.at(path).rename(aside)
        try:
            yield
        finally:
            aside.rename(self.at(path))


@contextlib.contextmanager
def restored_demo(customer: DemoStack) -> Iterator[Fixture]:
    """Copy a stopped demo customer, take its files and its data away, and start a scratch server on them."""
    directory = Path(tempfile.mkdtemp(prefix="o-", dir="/tmp"))
    directory.chmod(0o711)
    try:
        stack = customer.copy_to(directory / "s")
        manifest = _manifest(stack)
        paths = ScratchPaths(directory / "r")
        _move_files(stack, paths)
        stack.remove()
        manifest = _with_lists(manifest, paths)
        restored = Restored(_host(directory), _catalog(directory), manifest, paths)
        restored.opened = {"files": Attempt(_SEALED, None, 0.0)}
        restored.prepared = Attempt(Prepared("0", "1", "1", None, None, "", parse_geometry(_ALGORITHM)), None, 0.0)
        fixture = Fixture(restored, directory, serving(restored))
        restored.manifest = _with_tables(manifest, fixture.running.__enter__().need())
        yield fixture
        fixture.server.kill()
    finally:
        shutil.rmtree(directory)


def _move_files(stack: DemoStack, paths: ScratchPaths) -> None:
    for directory in (paths.root, paths.keys, paths.state, paths.lists, paths.logs, paths.run):
        directory.mkdir()
    paths.root.chmod(0o711)
    shutil.move(stack.root, paths.tree)
    shutil.move(paths.tree / "var/lib/mysql", paths.data)
    for gone in ("run", "var/log", "var/run", "var/lib/nginx"):
        if (paths.tree / gone).is_symlink():
            (paths.tree / gone).unlink()
        else:
            shutil.rmtree(paths.tree / gone)
    for key in _secrets():
        target = paths.keys / key.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(paths.tree / key.lstrip("/"), target)
    for part in (paths.tree, paths.data, paths.keys, paths.logs, paths.run):
        give_to_sandbox(part)


def _secrets() -> tuple[str, ...]:
    sites = ("/etc/wordpress/config-blog.example.php", "/srv/crm/application/config/app-config.php")
    return (KEY_FILE, FILEKEY_FILE, *sites, *NGINX_KEYS)


def _manifest(stack: DemoStack) -> Manifest:
    sites = [SiteSection.model_validate(site) for site in stack_values(stack.layout)["sites"]]
    sets = [_file_set(site.name, site.paths, site.uploads) for site in sites]
    names = [*(each.name for each in sets), "nginx"]
    now = datetime.now(UTC)
    return Manifest(
        id="20260101T000000Z-full-00000000", stack="demo", kind="full", parent=None, started=now, finished=now,
        opsctl_version="0", host="host", artefacts=tuple(_archive(each) for each in names),
        files=(*sets, _file_set("nginx", _NGINX)),
        sites=tuple(_site(site) for site in sites),
        web_server=WebServer(
            config="/etc/nginx/nginx.conf",
            server_names=("blog.example", "www.blog.example", "crm.example", "static.example", "*.static.example"),
        ),
        keys=_secrets(), phases=(), database=_database(),
    )  # fmt: skip


def _archive(name: str) -> Artefact:
    sealed = Sealed(plain_size=0, plain_sha256="", cipher_size=0, cipher_sha256="")
    return Artefact(name=f"files-{name}", kind="files", key=f"demo/{name}", sealed=sealed, recipients=())


def _database() -> Database:
    return Database(
        server_version="10.11", tool_version="10.11", server_id=4711, from_lsn="0", to_lsn="1", last_lsn="1",
        binlog_file=None, binlog_position=None, gtid_position="", gtid_state="", encrypted=True, key_file=KEY_FILE,
        filekey_file=FILEKEY_FILE, tables=(),
    )  # fmt: skip


def _file_set(name: str, paths: Iterable[Path], uploads: Path | None = None) -> FileSet:
    return FileSet(
        name=name, paths=tuple(str(path) for path in paths), files=0, size=0, digest="", changed=0,
        vanished=0, uploads=_text(uploads), upload_count=0,
    )  # fmt: skip


def _site(site: SiteSection) -> Site:
    known = site.known_value
    return Site(
        name=site.name, kind=site.kind, config=_text(site.config), code=_text(site.code), http_host=site.http_host,
        uploads=_text(site.uploads),
        known_value=None if known is None else KnownValueFact(query=known.query, sha256=known.sha256),
    )  # fmt: skip


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _with_lists(manifest: Manifest, paths: ScratchPaths) -> Manifest:
    """Only what is in an archive is restored: everything else goes from the tree."""
    sets = [write_list(paths.tree, paths.lists, files, manifest.keys) for files in manifest.files]
    held = [path for files in sets for path in files.paths] + list(manifest.keys)
    for folder, folders, names in os.walk(paths.tree, topdown=False):
        for name in (*folders, *names):
            place = Path(folder, name)
            path = f"/{place.relative_to(paths.tree)}"
            if any(Path(path).is_relative_to(each) for each in held):
                continue
            if place.is_dir() and not place.is_symlink():
                with contextlib.suppress(OSError):
                    place.rmdir()
            else:
                place.unlink()
    return manifest.model_copy(update={"files": tuple(sets)})


def _with_tables(manifest: Manifest, server: ScratchServer) -> Manifest:
    rows = server.query(_TABLES)
    tables = [
        Table.model_validate(
            {
                "database": row["TABLE_SCHEMA"],
                "name": row["TABLE_NAME"],
                "kind": _KINDS[row["TABLE_TYPE"]],
                "engine": row["ENGINE"],
            }
        )
        for row in rows
        if row["TABLE_SCHEMA"] not in ("information_schema", "performance_schema")
    ]
    return manifest.model_copy(update={"database": manifest.database.model_copy(update={"tables": tuple(tables)})})


def _host(directory: Path) -> DrillHost:
    return DrillHost(
        stack="demo",
        drill=DrillSection(scratch_dir=directory, buffer_pool_mb=64),
        objectives=ObjectivesSection(),
        machine=MachineSection(place="drill_host", state_dir=directory / "state", lock_dir=directory / "locks"),
        trust=TrustSection(signer="drill@test", signing_key=directory / "key", allowed_signers=directory / "allowed"),
        store=DirectoryStore(directory / "repository"),
        repository="local",
        off_host=False,
        ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        progress=Silent(),
    )


def _catalog(directory: Path) -> Catalog:
    return Catalog(DirectoryStore(directory / "repository"), "demo", Verifier(directory / "allowed"))
