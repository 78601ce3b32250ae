"""The checks of an export's drill: what was loaded is held against what the source said of itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql

from backup import layout
from backup.layout import SIGNATURE
from backup.logical import inventory
from backup.logical.accounts import read_accounts
from backup.logical.document import Export, ExportedTable, Program
from backup.logical.inventory import Ask
from opsctl.core.result import Result
from opsctl.core.words import counted
from restore_drill.checks.tally import Tally, lacked_means, one_line, sentence
from restore_drill.context import DrillHost
from restore_drill.exports.load import LoadError
from restore_drill.restored import Attempt
from restore_drill.scratch import ScratchServer

_TAKE_ANOTHER = "take another export and drill it: opsctl backup run --kind logical"
_OTHER_COPY = "use another copy of the repository, and find out who changed this one"


@dataclass(frozen=True)
class Named:
    """What a result is named after."""

    id: str
    title: str


DOCUMENT = Named("document", "document")
DECRYPT = Named("decrypt", "decrypt")
LOAD = Named("load", "load")
TABLES = Named("tables", "tables and rows")
PROGRAMS = Named("programs", "routines, triggers, events")
ACCOUNTS = Named("accounts", "users and roles")
CHECKS = (DOCUMENT, DECRYPT, LOAD, TABLES, PROGRAMS, ACCOUNTS)
DOCUMENT_EXPECTED = "the document is signed by an allowed signer, every archive is there with its size, nothing else is"


@contextmanager
def asking(server: ScratchServer) -> Iterator[Ask]:
    """Ask the scratch server, values spelled as they were when the source was asked. Raises OpsError."""
    try:
        with closing(server.connect()) as connection, connection.cursor() as cursor:

            def ask(statement: str) -> list[tuple[Any, ...]]:
                cursor.execute(statement)
                return list(cursor.fetchall())

            for statement in inventory.SESSION:
                ask(statement)
            yield ask
    except pymysql.Error as error:
        raise server.failed(f"the scratch server refused a question: {error.args[-1]}") from error


def judge_document(host: DrillHost, export: Export) -> Result:
    """The signature held when the document was read: without it there is no export to judge."""
    tally = Tally(DOCUMENT_EXPECTED)
    store = host.store
    for dump in export.dumps:
        stored = store.stat(dump.key)
        if stored is None:
            tally.problem(f"{dump.key} is missing", hint=_OTHER_COPY)
        elif stored.size != dump.sealed.cipher_size:
            said = f"{dump.key} has {stored.size} bytes, the document says {dump.sealed.cipher_size}"
            tally.problem(said, hint=_OTHER_COPY)
    key = layout.export_document(export.stack, export.id)
    known = {key, key + SIGNATURE, *(dump.key for dump in export.dumps)}
    extra = [item.key for item in store.list(layout.export(export.stack, export.id)) if item.key not in known]
    if extra:
        tally.problem(f"{len(extra)} objects are no part of the export: {sentence(extra)}", hint=_OTHER_COPY)
    tally.figures["archives"] = len(export.dumps)
    return tally.result(DOCUMENT, f"signed; {tally.counted('archives', 'archive')} with their sizes; nothing extra")


def judge_decrypt(loaded: Mapping[str, Attempt[bool]]) -> Result:
    """Archives that cannot be opened, or are not what was sealed. One whose SQL is refused is not read to its end."""
    tally = Tally("every archive opens with the given identity and has the document's hashes")
    for name, attempt in loaded.items():
        if isinstance(attempt.error, LoadError):
            tally.unjudged.append(f"{name} was not read to its end, since its SQL is refused")
        elif attempt.error is not None:
            said = f"{name}: {one_line(attempt.error)}"
            if lacked_means(attempt.error):
                tally.unjudged.append(said)
            else:
                tally.problem(said)
            tally.hint = tally.hint or attempt.error.hint
    return tally.result(DECRYPT, f"{counted(len(loaded), 'archive')} opened, hashes as signed")


def judge_load(loaded: Mapping[str, Attempt[bool]], version: str) -> Result:
    """Statements that the server refuses."""
    tally = Tally("the installed server takes every statement")
    for name, attempt in loaded.items():
        if isinstance(attempt.error, LoadError):
            tally.problem(one_line(attempt.error), hint=attempt.error.hint)
        elif attempt.error is not None:
            tally.unjudged.append(f"{name} could not be opened")
    tally.figures["server_version"] = version
    return tally.result(LOAD, f"loaded into MariaDB {version} without an error")


def judge_tables(export: Export, ask: Ask) -> Result:
    """Names, kinds, engines; rows and checksums of all tables that were of the snapshot."""
    tally = Tally("databases, tables, views and sequences are the export's, with their rows and checksums")
    schemas = {schema.name: schema for schema in inventory.schemas(ask)}
    _compare(tally, "database", [schema.name for schema in export.databases], schemas)
    for schema in export.databases:
        if schemas.get(schema.name, schema) != schema:
            tally.problem(f"database {schema.name} has {schemas[schema.name].collation}, not {schema.collation}")
    columns = inventory.columns(ask)
    found = {(table.database, table.name): table for table in inventory.tables(ask)}
    expected = {(table.database, table.name): table for table in export.tables}
    _compare(tally, "table", [".".join(name) for name in expected], [".".join(name) for name in found])
    rows = 0
    for name in sorted(expected.keys() & found.keys()):
        there, here = expected[name], found[name]
        if here.kind == "table":
            here = inventory.counted(ask, here, columns[name])
            rows += here.rows or 0
        if problem := _difference(there, here):
            tally.problem(f"{'.'.join(name)}: {problem}", hint=_TAKE_ANOTHER)
    outside = len(export.outside())
    tally.figures |= {"tables": len(found), "rows": rows, "tables_outside_of_the_snapshot": outside}
    good = f"{tally.counted('tables', 'table')}, {tally.counted('rows', 'row')} with the source's checksums"
    if outside:
        good += f"; {counted(outside, 'table')} without transactions were never of one moment: not compared"
    return tally.result(TABLES, good)


def _difference(there: ExportedTable, here: ExportedTable) -> str | None:
    if (there.kind, there.engine) != (here.kind, here.engine):
        return f"is a {here.kind} of {here.engine}, the source's is a {there.kind} of {there.engine}"
    if there.rows is not None and there.rows != here.rows:
        return f"has {here.rows} rows, the source had {there.rows}"
    if there.checksum is not None and there.checksum != here.checksum:
        return "holds other values than the source did"
    return None


def judge_programs(export: Export, ask: Ask) -> Result:
    """Stored programs: their text, their definers, whether events are enabled."""
    tally = Tally("routines, triggers and events are the export's, with their definers, and events with their status")
    expected, found = _by_name(export.programs), _by_name(inventory.programs(ask))
    _compare(tally, "program", list(expected), list(found))
    for name in sorted(expected.keys() & found.keys()):
        there, here = expected[name], found[name]
        if there.status != here.status:
            tally.problem(f"{name} is {here.status}, the source's was {there.status}", hint=_TAKE_ANOTHER)
        elif there.definer != here.definer:
            tally.problem(f"{name} works for {here.definer}, the source's for {there.definer}", hint=_TAKE_ANOTHER)
        elif there.sha256 != here.sha256:
            tally.problem(f"{name} has another text", hint=_TAKE_ANOTHER)
    tally.figures["programs"] = len(found)
    return tally.result(PROGRAMS, f"{tally.counted('programs', 'stored program')}, texts, definers and status alike")


def _by_name(programs: Iterable[Program]) -> dict[str, Program]:
    return {f"{each.kind} {each.database}.{each.name}": each for each in programs}


def judge_accounts(export: Export, ask: Ask, admin: str) -> Result:
    """Users and roles are there; what they may do was granted without an error."""
    tally = Tally("users and roles are the export's")
    accounts = read_accounts(ask)
    _compare(tally, "user", export.accounts, [user for user in accounts.users if user != f"{admin}@localhost"])
    _compare(tally, "role", export.roles, accounts.roles)
    tally.figures |= {"users": len(export.accounts), "roles": len(export.roles)}
    return tally.result(ACCOUNTS, f"{tally.counted('users', 'user')}, {tally.counted('roles', 'role')}")


def _compare(tally: Tally, what: str, expected: Iterable[str], found: Iterable[str]) -> None:
    """Note what is missing, and what is there that should not be."""
    there, here = set(expected), set(found)
    for names, how in ((there - here, "is missing"), (here - there, "is not of the export")):
        tally.problems += [f"{what} {name} {how}" for name in sorted(names)]


def every_check(export: Export, ask: Ask, admin: str) -> dict[Named, Callable[[], Result]]:
    """The checks of a loaded server, each to be run."""
    return {
        TABLES: lambda: judge_tables(export, ask),
        PROGRAMS: lambda: judge_programs(export, ask),
        ACCOUNTS: lambda: judge_accounts(export, ask, admin),
    }
