"""Which encryption keys the restored tables need, and whether the restored server has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsctl.core.errors import AuthError, OpsError
from opsctl.core.process import command, run
from opsctl.core.sandbox import Mount, sandboxed
from restore_drill.checks.names import quoted
from restore_drill.checks.page_keys import Tablespace, read_key_file, tablespaces
from restore_drill.options import below
from restore_drill.restored import Restored, needed
from restore_drill.scratch import ScratchServer

_PAGE_SIZE = 16384
_CHECKSUM_TIMEOUT_S = 60.0
_TABLE_PATHS = (
    "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, CONCAT(CAST(CONVERT(TABLE_SCHEMA USING filename) AS BINARY), '/', "
    "CAST(CONVERT(TABLE_NAME USING filename) AS BINARY)) AS path FROM information_schema.TABLES WHERE ENGINE = 'InnoDB'"
)


@dataclass(frozen=True)
class Keys:
    """Key ids by what came of them: `read` opened a table in the server; `wrong` are not in the key file or open none
    of their tables; `untried` have no table that is whole. `tables`: ids by names of tables, if the server runs."""

    read: tuple[int, ...]
    wrong: tuple[int, ...]
    untried: tuple[int, ...]
    tables: Mapping[tuple[str, str], int]


def try_keys(restored: Restored, server: ScratchServer | None) -> Keys:
    """Try the key of every encrypted tablespace, in the server if it runs, else on the pages themselves.

    Raises OpsError when the key file is not there.
    """
    by_key: dict[int, list[Tablespace]] = {}
    for space in tablespaces(restored.paths.data, _page_size(restored)):
        by_key.setdefault(space.key_id, []).append(space)
    names = _names(server) if server is not None else {}
    read, wrong, untried = [], [], []
    for key_id, spaces in sorted(by_key.items()):
        if server is not None and any(_can_read(server, names.get(_table(space))) for space in spaces):
            read.append(key_id)
        elif _is_wrong(restored, key_id, spaces):
            wrong.append(key_id)
        else:
            untried.append(key_id)
    known = (space for spaces in by_key.values() for space in spaces if _table(space) in names)
    tables = {names[_table(space)]: space.key_id for space in known}
    return Keys(tuple(read), tuple(wrong), tuple(untried), tables)


def wrong_keys(restored: Restored) -> str | None:
    """Say what is wrong with the restored keys of a database that was not prepared or did not start; None if nothing
    can be said."""
    if not restored.manifest.database.encrypted:
        return None
    for attempt in (restored.prepared, restored.server):
        if attempt is not None and isinstance(attempt.error, AuthError):
            return attempt.error.message.splitlines()[0]
    wrong = try_keys(restored, None).wrong
    if not wrong:
        return None
    return f"the restored key file lacks the right key {', '.join(map(str, wrong))}"


def _names(server: ScratchServer) -> dict[str, tuple[str, str]]:
    """InnoDB's tables by the paths of their files."""
    rows = server.query(_TABLE_PATHS)
    return {bytes(row["path"]).decode(): (str(row["db"]), str(row["name"])) for row in rows}


def _table(space: Tablespace) -> str:
    """The path of a table's files, without the partition."""
    return space.path.partition("#P#")[0]


def _is_wrong(restored: Restored, key_id: int, spaces: list[Tablespace]) -> bool:
    """Whether a key is not there, or opens none of its tables though one at least is whole on the disk."""
    database = restored.manifest.database
    if database.key_file is None:
        return False
    filekey = below(restored.paths.keys, database.filekey_file) if database.filekey_file else None
    try:
        key = read_key_file(below(restored.paths.keys, database.key_file), filekey).get(key_id)
    except OSError as error:
        raise OpsError(f"a key file of the database cannot be read: {error.strerror}") from error
    if key is None:
        return True
    if any(space.opens_with(key) for space in spaces):
        return False
    return any(not space.is_blank and _is_whole(space) for space in spaces)


def _page_size(restored: Restored) -> int:
    if restored.prepared is None or restored.prepared.value is None:
        return _PAGE_SIZE
    return int(dict(needed(restored.prepared).geometry.innodb).get("innodb_page_size", _PAGE_SIZE))


def _can_read(server: ScratchServer, table: tuple[str, str] | None) -> bool:
    if table is None:
        return False
    try:
        server.query(f"SELECT 1 FROM {quoted(*table)} LIMIT 1")  # noqa: S608 - the names are quoted
    except OpsError:
        return False
    return True


def _is_whole(space: Tablespace) -> bool:
    """Whether a tablespace's root page is what the server once wrote: its checksum is taken after encryption."""
    place = Path("/restored/table.ibd")
    cmd = command("innochecksum", "--page=3", place)
    mounts = (Mount(space.file, place),)
    return run(sandboxed(cmd, mounts), timeout_s=_CHECKSUM_TIMEOUT_S, check=False).ok
