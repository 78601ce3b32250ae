"""Check 3, mariabackup coherence: the copy was prepared, its LSNs join up, the server starts, every table is whole."""

from collections.abc import Iterable, Mapping
from typing import Any

import pymysql

from opsctl.core.errors import IntegrityError, OpsError, UnreachableError
from opsctl.core.process import CommandFailedError
from opsctl.core.result import Result
from restore_drill.checks.encrypted import try_keys, wrong_keys
from restore_drill.checks.names import quoted
from restore_drill.checks.tally import Tally, lacked_means, one_line, sentence
from restore_drill.restored import CouldNotRunError, Restored, needed
from restore_drill.scratch import ScratchServer

TableName = tuple[str, str]

_TABLES = (
    "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, TABLE_TYPE AS kind FROM information_schema.TABLES "
    "WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')"
)
_HINT = "this backup does not restore: take a new full backup now, then look at the host's disk and its error log"


class Coherence:
    """What the keys are to blame for is check 4's to report; here it could not be judged."""

    id = "coherence"
    title = "mariabackup coherence"

    def run(self, restored: Restored) -> Result:
        """Judge the database before replay. Raises CouldNotRunError when its archive could not be opened."""
        tally = Tally("prepare completes, LSNs are the manifest's, the server starts, every table is there and whole")
        server = self._start(restored, tally)
        if server is not None:
            self._inventory(restored, server, tally)
            self._check_tables(restored, server, tally)
        lsn, tables = restored.manifest.database.to_lsn, tally.counted("tables_checked", "whole table")
        return tally.result(self, f"prepared to LSN {lsn}; the server starts; {tables}")

    def _start(self, restored: Restored, tally: Tally) -> ScratchServer | None:
        """Judge prepare and start; return the server if it runs."""
        for attempt in (restored.prepared, restored.server):
            if attempt is None or isinstance(attempt.error, CouldNotRunError):
                raise CouldNotRunError("the database was never prepared, since an archive that it needs is not open")
            if attempt.error is not None:
                _note_step(attempt.error, wrong_keys(restored), tally)
                return None
        self._lsns(restored, tally)
        server = needed(restored.server)
        tally.figures["server_version"] = str(server.query("SELECT VERSION() AS version")[0]["version"])
        return server

    def _lsns(self, restored: Restored, tally: Tally) -> None:
        prepared = needed(restored.prepared)
        expected = restored.manifest.database
        for name in ("from_lsn", "to_lsn", "last_lsn"):
            found, wanted = getattr(prepared, name), getattr(expected, name)
            tally.figures[name] = found
            if found != wanted:
                tally.problem(f"{name} is {found}, the manifest says {wanted}", hint=_HINT)

    def _inventory(self, restored: Restored, server: ScratchServer, tally: Tally) -> None:
        """Compare the names and kinds of all tables, views and sequences, both ways."""
        found = {(str(row["db"]), str(row["name"])): _kind(str(row["kind"])) for row in server.query(_TABLES)}
        expected = {(table.database, table.name): table.kind for table in restored.manifest.database.tables}
        missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
        other = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
        tally.figures |= {"tables_expected": len(expected), "tables_found": len(found)}
        for what, names in (("missing", missing), ("not in the inventory", extra), ("of another kind", other)):
            if names:
                tally.problem(f"{len(names)} tables {what}: {_listed(names)}", hint=_HINT)

    def _check_tables(self, restored: Restored, server: ScratchServer, tally: Tally) -> None:
        bad = check_tables(server, base_tables(restored, server))
        keys = try_keys(restored, server)
        locked = [name for name in bad if keys.tables.get(name) in keys.wrong]
        for name, said in bad.items():
            if name not in locked:
                tally.problem(f"{'.'.join(name)}: {said}", hint=_HINT)
        if locked:
            tally.unjudged.append(f"the restored keys do not open {_listed(locked)}")
        tally.figures |= {
            "tables_checked": len(base_tables(restored, server)),
            "bad_tables": [".".join(name) for name in sorted(bad)],
        }


def base_tables(restored: Restored, server: ScratchServer) -> list[TableName]:
    """The tables of the manifest's inventory that the server knows, without views and sequences."""
    found = {(str(row["db"]), str(row["name"])) for row in server.query(_TABLES)}
    tables = (table for table in restored.manifest.database.tables if table.kind == "table")
    return [(table.database, table.name) for table in tables if (table.database, table.name) in found]


def check_tables(server: ScratchServer, tables: Iterable[TableName]) -> Mapping[TableName, str]:
    """Run CHECK TABLE on each; return what the server says of those that are not whole.

    A server that ends over one of them is said for that table, and for those after it.
    """
    bad: dict[TableName, str] = {}
    connection: pymysql.Connection[Any] | None = None
    for name in tables:
        try:
            connection = connection or server.connect()
            said = _errors(connection, name)
        except pymysql.Error as error:
            connection = None
            said = [f"the check ends with '{error.args[-1]}'"]
        if said:
            bad[name] = said[0]
    if connection is not None:
        connection.close()
    return bad


def _errors(connection: "pymysql.Connection[Any]", name: TableName) -> list[str]:
    """What CHECK TABLE calls an error. Its rows: table, operation, type of message, message."""
    with connection.cursor() as cursor:
        cursor.execute(f"CHECK TABLE {quoted(*name, placeholders=False)}")
        return [str(row[3]) for row in cursor.fetchall() if str(row[2]).lower() == "error"]


def _note_step(error: OpsError, keys: str | None, tally: Tally) -> None:
    """A step that failed: for want of keys or of this machine's means, or because the copy is bad."""
    if keys is not None:
        tally.unjudged.append(f"the restored keys do not open the database: {keys}")
        tally.hint = "see check 4"
    elif isinstance(error, IntegrityError | CommandFailedError | UnreachableError) and not lacked_means(error):
        tally.problem(one_line(error), hint=error.hint or _HINT)
    else:
        tally.unjudged.append(one_line(error))
        tally.hint = error.hint or "free space in drill.scratch_dir, then run the drill again"


def _kind(table_type: str) -> str:
    if table_type == "SEQUENCE":
        return "sequence"
    return "view" if table_type.endswith("VIEW") else "table"


def _listed(names: Iterable[TableName]) -> str:
    return sentence(".".join(name) for name in sorted(names))
