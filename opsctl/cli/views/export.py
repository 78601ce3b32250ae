"""Answers of `opsctl backup run` and `show` about logical exports."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from backup.logical.document import Export, Program
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import WIDTH, Cell, figures, table, wrap
from opsctl.cli.views.copies import Copied
from opsctl.cli.views.copies import text as copies_text
from opsctl.cli.words import seconds, size, when
from opsctl.core.words import counted


class ExportRun(Document):
    """A logical export that was just published."""

    kind: Literal["export-run"] = "export-run"
    export: Export
    copies: tuple[Copied, ...]


class ExportShow(Document):
    """A logical export as it was signed."""

    kind: Literal["export-show"] = "export-show"
    export: Export


class ExportRow(BaseModel):
    """One logical export. Sizes are bytes, times UTC."""

    id: str
    started: datetime
    snapshot: datetime
    finished: datetime
    server_version: str
    plain_size: int
    cipher_size: int
    databases: int
    tables: int


def summary(export: Export) -> ExportRow:
    """One row of the list."""
    return ExportRow(
        id=export.id,
        started=export.started,
        snapshot=export.snapshot,
        finished=export.finished,
        server_version=export.server_version,
        plain_size=sum(dump.sealed.plain_size for dump in export.dumps),
        cipher_size=sum(dump.sealed.cipher_size for dump in export.dumps),
        databases=len(export.databases),
        tables=len(export.tables),
    )


def run_text(document: ExportRun, paint: Painter) -> Iterator[str]:
    """Say what was exported and how long it took."""
    export = document.export
    row = summary(export)
    yield f"Export {paint(export.id, 'green')} is complete, signed and read back."
    pairs = [
        ("databases", f"{row.databases}, {counted(row.tables, 'table')}, MariaDB {export.server_version}"),
        ("programs", _programs(export.programs)),
        ("accounts", f"{counted(len(export.accounts), 'user')}, {counted(len(export.roles), 'role')}"),
        ("as at", when(export.snapshot)),
        ("size", f"{size(row.plain_size)}, encrypted {size(row.cipher_size)}"),
        ("took", seconds((export.finished - export.started).total_seconds())),
    ]
    yield from figures(pairs, paint)
    yield from _left_out(export, paint)
    yield from copies_text(document.copies, paint)


def list_text(rows: Sequence[ExportRow], paint: Painter) -> Iterator[str]:
    """Write a table."""
    cells = [
        (
            row.id,
            Cell(seconds((row.finished - row.started).total_seconds()), right=True),
            Cell(str(row.databases), right=True),
            Cell(str(row.tables), right=True),
            Cell(size(row.cipher_size), right=True),
        )
        for row in rows
    ]
    yield from table(("logical export", "took", "dbs", "tables", "encrypted"), cells, paint)


def show_text(document: ExportShow, paint: Painter) -> Iterator[str]:
    """Write what the document says."""
    export = document.export
    yield paint(export.id, "bold")
    pairs = [
        ("stack", f"{export.stack} on {export.host}"),
        ("kind", "logical export, which other versions of MariaDB can load"),
        ("taken", f"{when(export.started)} to {when(export.finished)}"),
        ("as at", when(export.snapshot)),
        ("by", f"opsctl {export.opsctl_version}, mariadb-dump {export.tool_version}"),
        ("server", f"MariaDB {export.server_version}, id {export.server_id}"),
        ("binary log", f"{export.binlog_file} at {export.binlog_position}" if export.binlog_file else "off"),
        ("GTID state", export.gtid_state or "(empty)"),
        ("programs", _programs(export.programs)),
        ("accounts", f"{counted(len(export.accounts), 'user')}, {counted(len(export.roles), 'role')}"),
        ("took", ", ".join(f"{phase.name} {seconds(phase.duration_s)}" for phase in export.phases)),
    ]
    yield from figures(pairs, paint)
    yield ""
    archives = [
        (
            dump.database or "users, roles, grants",
            dump.kind,
            Cell(str(sum(t.database == dump.database for t in export.tables)) if dump.kind == "database" else ""),
            Cell(size(dump.sealed.plain_size), right=True),
            Cell(size(dump.sealed.cipher_size), right=True),
        )
        for dump in export.dumps
    ]
    yield from table(("archive of", "kind", "tables", "plain", "encrypted"), archives, paint)
    yield from _left_out(export, paint)


def _left_out(export: Export, paint: Painter) -> Iterator[str]:
    """What is not as at the export's moment, or not in it."""
    outside = [f"{table.database}.{table.name}" for table in export.outside()]
    if outside:
        words = f"{counted(len(outside), 'table')} without transactions, not quite of that moment: {_few(outside)}"
        yield from (paint(line, "yellow") for line in wrap(words, WIDTH))
    if export.history_left_out:
        words = f"former rows of system-versioned tables are left out: {_few(export.history_left_out)}"
        yield from (paint(line, "yellow") for line in wrap(words, WIDTH))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _programs(programs: Sequence[Program]) -> str:
    kinds = {program.kind for program in programs}
    return (
        ", ".join(counted(sum(each.kind == kind for each in programs), kind) for kind in sorted(kinds)) or "none stored"
    )
