"""Answers of `opsctl backup run`, `list` and `show`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from backup.catalog import Catalog
from backup.chain import ChainError, parents_of
from backup.logical.document import Export
from backup.manifest import Manifest, Phase
from backup.summary import Summary
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.views import export
from opsctl.cli.views.copies import Copied
from opsctl.cli.views.copies import text as copies_text
from opsctl.cli.views.export import ExportRow
from opsctl.cli.words import seconds, size, when
from opsctl.core.clock import compact, moment_of
from opsctl.core.words import counted

SHORTEST_S = 0.05


class BackupRun(Document):
    """A backup that was just published, its manifest, and how copying it to the other repositories went."""

    kind: Literal["backup-run"] = "backup-run"
    manifest: Manifest
    copies: tuple[Copied, ...] = ()


class BackupRow(BaseModel):
    """One backup. Sizes are bytes, times UTC."""

    id: str
    backup_kind: Literal["full", "incremental"]
    parent: str | None
    started: datetime
    finished: datetime
    plain_size: int
    cipher_size: int
    stored_size: int
    tables: int
    files: int


class BackupList(Document):
    """All backups and logical exports of the stack, oldest first."""

    kind: Literal["backup-list"] = "backup-list"
    repository: str
    backups: tuple[BackupRow, ...]
    exports: tuple[ExportRow, ...]


class BackupShow(Document):
    """One backup: its signed manifest, and the ids of those that its database is restored onto, the full one first.

    `problem` says why these cannot be known, or what is wrong with them.
    """

    kind: Literal["backup-show"] = "backup-show"
    manifest: Manifest
    parents: tuple[str, ...] = ()
    problem: str | None = None


def run_text(document: BackupRun, paint: Painter) -> Iterator[str]:
    """Say what was backed up and how long it took."""
    manifest = document.manifest
    row = summary(manifest)
    took = (manifest.finished - manifest.started).total_seconds()
    yield f"Backup {paint(manifest.id, 'green')} is complete, signed and read back."
    pairs = [
        ("kind", _kind(manifest)),
        ("database", f"{counted(row.tables, 'table')}, MariaDB {manifest.database.server_version}"),
        ("files", f"{counted(row.files, 'file')} in {counted(len(manifest.files), 'archive')}"),
        ("size", f"{size(row.plain_size)}, encrypted {size(row.cipher_size)}, stored now {size(row.stored_size)}"),
        ("took", f"{seconds(took)}: {_phases(manifest.phases)}"),
    ]
    yield from figures(pairs, paint)
    yield from copies_text(document.copies, paint)


def summary(manifest: Manifest) -> BackupRow:
    """One row of the list."""
    return BackupRow(
        id=manifest.id,
        backup_kind=manifest.kind,
        parent=manifest.parent,
        started=manifest.started,
        finished=manifest.finished,
        plain_size=sum(artefact.sealed.plain_size for artefact in manifest.artefacts),
        cipher_size=sum(artefact.sealed.cipher_size for artefact in manifest.artefacts),
        stored_size=manifest.stored_size,
        tables=len(manifest.database.tables),
        files=sum(part.files for part in manifest.files),
    )


def listed(repository: str, backups: Sequence[Summary], exports: Sequence[Export]) -> BackupList:
    """Collect."""
    return BackupList(
        repository=repository,
        backups=tuple(
            BackupRow(
                id=each.id,
                backup_kind=each.kind,
                parent=each.parent,
                started=each.started,
                finished=each.finished,
                plain_size=each.plain_size,
                cipher_size=each.cipher_size,
                stored_size=each.stored_size,
                tables=each.tables,
                files=each.files,
            )
            for each in backups
        ),
        exports=tuple(export.summary(each) for each in exports),
    )


def list_text(document: BackupList, paint: Painter) -> Iterator[str]:
    """Write a table."""
    if not document.backups:
        yield f"there is no backup in {document.repository}"
    else:
        yield from _backups(document, paint)
    if document.exports:
        yield ""
        yield from export.list_text(document.exports, paint)


def _backups(document: BackupList, paint: Painter) -> Iterator[str]:
    rows = [
        (
            row.id,
            Cell(seconds((row.finished - row.started).total_seconds()), right=True),
            Cell(str(row.tables), right=True),
            Cell(str(row.files), right=True),
            Cell(size(row.stored_size), right=True),
        )
        for row in document.backups
    ]
    yield from table(("id", "took", "tables", "files", "stored"), rows, paint)


def shown(catalog: Catalog, manifest: Manifest) -> BackupShow:
    """Follow the parents."""
    try:
        parents = tuple(parent.id for parent in parents_of(catalog, manifest)[:-1])
    except ChainError as error:
        return BackupShow(manifest=manifest, problem=str(error))
    return BackupShow(manifest=manifest, parents=parents)


def show_text(document: BackupShow, paint: Painter) -> Iterator[str]:
    """Write what the manifest says."""
    manifest = document.manifest
    database = manifest.database
    yield paint(manifest.id, "bold")
    pairs = [
        ("stack", f"{manifest.stack} on {manifest.host}"),
        ("kind", _kind(manifest)),
        *([("stands on", ", ".join(document.parents))] if len(document.parents) > 1 else []),
        *([("stands on", paint(document.problem, "red"))] if document.problem else []),
        ("taken", f"{when(manifest.started)} to {when(manifest.finished)}"),
        ("by", f"opsctl {manifest.opsctl_version}, {database.tool_version}"),
        ("server", f"MariaDB {database.server_version}, id {database.server_id}"),
        ("tables", f"{len(database.tables)}, {'encrypted at rest' if database.encrypted else 'not encrypted at rest'}"),
        ("binary log", f"{database.binlog_file} at {database.binlog_position}" if database.binlog_file else "off"),
        ("GTID state", database.gtid_state or "(empty)"),
        ("secrets", f"{counted(len(manifest.keys), 'file')}, in the keys archive only"),
        ("vhosts", ", ".join(manifest.web_server.server_names) if manifest.web_server else "no web server"),
        ("took", _phases(manifest.phases)),
    ]
    yield from figures(pairs, paint)
    yield ""
    archives = [
        (
            artefact.name,
            Cell(size(artefact.sealed.plain_size), right=True),
            Cell(size(artefact.sealed.cipher_size), right=True),
            "" if f"/{manifest.id}/" in artefact.key else compact(moment_of(artefact.key.split("/")[-2])),
        )
        for artefact in manifest.artefacts
    ]
    yield from table(("archive", "plain", "encrypted", "stored by that of"), archives, paint)
    yield ""
    sets = [
        (
            part.name,
            Cell(str(part.files), right=True),
            Cell(size(part.size), right=True),
            Cell(str(part.upload_count) if part.uploads else "", right=True),
            Cell(str(part.changed + part.vanished) if part.changed + part.vanished else "", "yellow", right=True),
        )
        for part in manifest.files
    ]
    yield from table(("files of", "files", "size", "uploads", "changed while read"), sets, paint)


def _kind(manifest: Manifest) -> str:
    """What it stands on, or why it was made to stand on nothing."""
    if manifest.parent:
        return f"incremental, onto {manifest.parent}"
    return "full" + (f": {manifest.reason}" if manifest.reason else "")


def _phases(phases: Sequence[Phase]) -> str:
    """The steps that took any time to speak of."""
    return ", ".join(f"{phase.name} {seconds(phase.duration_s)}" for phase in phases if phase.duration_s >= SHORTEST_S)
