"""Answers of `opsctl status` and `opsctl backup layers`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from backup.layers import Layer
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, table, wrap
from opsctl.cli.words import ago, seconds, size, when
from opsctl.core.words import counted
from opsctl.overview.status import Status


class BackupLayers(Document):
    """The five layers; times are UTC."""

    kind: Literal["backup-layers"] = "backup-layers"
    layers: tuple[Layer, ...]


class DueAction(BaseModel):
    """Something to do, and the command that does it."""

    what: str
    command: str


class LastDrill(BaseModel):
    """The newest drill, whether it passed or not."""

    finished: datetime
    passed: bool
    backup: str


class LastFullRestore(BaseModel):
    """The newest host that was lost and works again, and the seconds from its loss until its sites answered."""

    host: str
    finished: datetime
    total_s: float


class RepositoryState(BaseModel):
    """A repository; `problem` says why it could not be looked at, None when it was."""

    name: str
    where: str
    off_host: bool
    recoverable_until: datetime | None
    problem: str | None


class CopyState(BaseModel):
    """How far a repository is behind the first: objects, bytes, and the seconds for which the oldest of them waits.

    `copied` is the end of the last run that could look there (UTC).
    """

    repository: str
    copied: datetime | None
    backlog: int
    backlog_size: int
    lag_s: float


class StatusDocument(Document):
    """What could be brought back right now, what proves it, and what is due; times are UTC."""

    kind: Literal["status"] = "status"
    stack: str
    at: datetime
    recoverable_until: datetime | None
    recoverable_by: str
    warning: str | None
    off_host_until: datetime | None
    last_drill: LastDrill | None
    last_full_restore: LastFullRestore | None
    repositories: tuple[RepositoryState, ...]
    copies: tuple[CopyState, ...]
    layers: tuple[Layer, ...]
    due: tuple[DueAction, ...]


def layers_text(layers: Sequence[Layer], paint: Painter) -> Iterator[str]:
    """Write a table of the five layers."""
    rows: list[list[Cell | str]] = []
    for layer in layers:
        state = Cell("yes", "green") if layer.configured else Cell("no", "yellow")
        times = [
            Cell(ago(time) if time else _never(layer), None if time else "yellow")
            for time in (layer.succeeded, layer.verified, layer.drilled)
        ]
        rows.append([f"{layer.number} {layer.name}", state, *times])
    yield from table(("layer", "set up", "last success", "last verified", "last drilled"), rows, paint)
    for layer in layers:
        if layer.note:
            for number, line in enumerate(wrap(layer.note, 75)):
                yield paint(f"  {layer.number}: {line}" if number == 0 else f"     {line}", "dim")


def _never(layer: Layer) -> str:
    if not layer.configured:
        return ""
    return "never" if layer.checked else "unknown"


def document_of(stack: str, status: Status) -> StatusDocument:
    """The look as a document."""
    drill, lost = status.last_drill, status.last_full_restore
    return StatusDocument(
        stack=stack,
        at=status.at,
        recoverable_until=status.reach.until,
        recoverable_by=status.reach.by,
        warning=status.reach.warning,
        off_host_until=status.off_host_until,
        last_drill=LastDrill(finished=drill.finished, passed=drill.passed, backup=drill.backup) if drill else None,
        last_full_restore=(
            LastFullRestore(host=lost.host, finished=lost.finished, total_s=lost.total_s) if lost else None
        ),
        repositories=tuple(
            RepositoryState(
                name=each.name,
                where=each.where,
                off_host=each.off_host,
                recoverable_until=each.reach.until,
                problem=each.problem,
            )
            for each in status.repositories
        ),
        copies=tuple(
            CopyState(
                repository=each.repository,
                copied=each.copied,
                backlog=each.backlog,
                backlog_size=each.backlog_size,
                lag_s=each.lag_s(status.at),
            )
            for each in status.copies
        ),
        layers=status.layers,
        due=tuple(DueAction(what=due.what, command=due.command) for due in status.due),
    )


def text(document: StatusDocument, paint: Painter) -> Iterator[str]:
    """Write one screen."""
    yield paint(f"Stack {document.stack}", "bold") + f", {when(document.at)}"
    yield ""
    yield from _recoverable(document, paint)
    yield from _drilled(document.last_drill, paint)
    if (lost := document.last_full_restore) is not None:
        yield f"The last host that was lost, {lost.host}, was back in {seconds(lost.total_s)}, {ago(lost.finished)}."
    yield ""
    yield from layers_text(document.layers, paint)
    yield ""
    if not document.due:
        yield paint("Nothing is due.", "green")
        return
    yield paint("Due:", "bold")
    for due in document.due:
        for number, line in enumerate(wrap(due.what, 76)):
            yield f"  {'-' if number == 0 else ' '} {line}"
        yield "    " + paint(due.command, "cyan")


def _recoverable(document: StatusDocument, paint: Painter) -> Iterator[str]:
    if document.recoverable_until is None:
        unseen = bool(document.repositories and document.repositories[0].problem)
        known = "It is not known what could be brought back" if unseen else "Nothing can be brought back"
        yield paint(f"{known}: {document.recoverable_by}.", "red")
    else:
        moment = paint(when(document.recoverable_until), "green")
        yield f"The database can be brought back as at {moment} ({ago(document.recoverable_until)})"
        yield from wrap(f"by {document.recoverable_by}.", 80)
    if document.warning:
        for line in wrap(f"Not further: {document.warning}.", 80):
            yield paint(line, "yellow")
    yield from _off_host(document, paint)


def _off_host(document: StatusDocument, paint: Painter) -> Iterator[str]:
    unseen = [f"'{each.name}'" for each in document.repositories if each.off_host and each.problem]
    if document.off_host_until is not None:
        yield f"If the host is lost: as at {when(document.off_host_until)} ({ago(document.off_host_until)})."
    elif unseen:
        yield paint(f"If the host is lost: not known, {' and '.join(unseen)} could not be looked at.", "yellow")
    elif document.recoverable_until is not None:
        yield paint("There is no off-host copy: a lost host loses everything.", "red")
    for copy in document.copies:
        if copy.copied is None:
            yield paint(f"Nothing was ever copied to '{copy.repository}'.", "yellow")
        elif copy.backlog:
            missing = f"{counted(copy.backlog, 'object')}, {size(copy.backlog_size)}, for {seconds(copy.lag_s)}"
            yield f"Still to be copied to '{copy.repository}': {missing}."


def _drilled(drill: LastDrill | None, paint: Painter) -> Iterator[str]:
    if drill is None:
        yield paint("No drill has run: nothing proves that this restores.", "yellow")
        return
    word = paint("passed", "green") if drill.passed else paint("FAILED", "red")
    yield f"The last drill {word} {ago(drill.finished)}, on {drill.backup}."
