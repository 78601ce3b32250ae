"""The answer of `opsctl anomalies collect`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from anomaly_rules.collect import Collected
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import GAP, WIDTH, Cell, table, wrap
from opsctl.core.words import counted


class CollectedSource(BaseModel):
    """One source: what kept it from being read, what was left out, values that are new or revised, seconds it took."""

    name: str
    error: str | None
    hint: str | None
    notes: tuple[str, ...]
    added: int
    revised: int
    duration_s: float


class AnomaliesCollect(Document):
    """What was read of every source."""

    kind: Literal["anomalies-collect"] = "anomalies-collect"
    sources: tuple[CollectedSource, ...]
    added: int
    revised: int
    unreadable: int


def collected(found: Sequence[Collected]) -> AnomaliesCollect:
    """Collect and count."""
    sources = tuple(
        CollectedSource(
            name=each.name,
            error=each.why,
            hint=each.hint,
            notes=each.notes,
            added=each.written.added,
            revised=each.written.revised,
            duration_s=round(each.duration_s, 3),
        )
        for each in found
    )
    return AnomaliesCollect(
        sources=sources,
        added=sum(source.added for source in sources),
        revised=sum(source.revised for source in sources),
        unreadable=sum(source.error is not None for source in sources),
    )


def collect_text(document: AnomaliesCollect, paint: Painter) -> Iterator[str]:
    """Write a line for each source, below it what is wrong."""
    rows = [
        (source.name, Cell(f"{source.added:,}", right=True), Cell(f"{source.revised:,}", right=True), _state(source))
        for source in document.sources
    ]
    yield from table(("source", "new", "revised", ""), rows, paint)
    for source in document.sources:
        yield from _details(source, paint)
    yield ""
    counts = f"{counted(document.added, 'new value')}, {document.revised:,} revised"
    if document.unreadable:
        counts += f", {paint(f'{document.unreadable} of {len(document.sources)} sources could not be read', 'yellow')}"
    yield f"{counts}."


def _state(source: CollectedSource) -> Cell:
    if source.error is not None:
        return Cell("could not be read", "yellow")
    return Cell(counted(len(source.notes), "note") if source.notes else "")


def _details(source: CollectedSource, paint: Painter) -> Iterator[str]:
    said = [("", note) for note in source.notes]
    if source.error is not None:
        said += [("", source.error), *([("Try: ", source.hint)] if source.hint else [])]
    if said:
        yield ""
        yield paint(f"{source.name}:", "bold")
    for word, text in said:
        for number, line in enumerate(wrap(text, WIDTH - GAP - len(word))):
            yield " " * GAP + paint(word if number == 0 else " " * len(word), "cyan") + line
