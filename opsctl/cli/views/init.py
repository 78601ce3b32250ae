"""The answer of `opsctl init`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, table, wrap
from opsctl.overview.init import Initialised


class InitFile(BaseModel):
    """One file of the set-up."""

    path: Path
    what: str
    state: Literal["made", "kept", "would be made"]


class Init(Document):
    """What was found on this host, what was made, and what to do next."""

    kind: Literal["init"] = "init"
    config: Path
    found: tuple[str, ...]
    not_understood: tuple[str, ...]
    files: tuple[InitFile, ...]
    next_steps: tuple[str, ...]


def initialised(done: Initialised) -> Init:
    """Collect."""
    files = tuple(InitFile(path=file.path, what=file.what, state=file.state) for file in done.files)
    return Init(
        config=done.config,
        found=done.found,
        not_understood=done.not_understood,
        files=files,
        next_steps=done.next_steps,
    )


def text(document: Init, paint: Painter) -> Iterator[str]:
    """Write what was found, what was not understood, the files, and the next steps."""
    for title, sentences, style in (
        ("Found", document.found, None),
        ("Not understood, please complete the settings", document.not_understood, "yellow"),
    ):
        if sentences:
            yield paint(f"{title}:", "bold")
            for sentence in sentences:
                yield from _item(sentence, "-", paint, style)
    yield paint("Files:", "bold")
    styles = {"made": "green", "kept": "dim", "would be made": "cyan"}
    rows = [(Cell(f"  {file.state}", styles[file.state]), file.what, str(file.path)) for file in document.files]
    yield from table(("", "", ""), rows, paint)
    yield paint("Next:", "bold")
    for number, step in enumerate(document.next_steps, start=1):
        yield from _item(step, f"{number}.", paint, "cyan")


def _item(sentence: str, mark: str, paint: Painter, style: str | None) -> Iterator[str]:
    for number, line in enumerate(wrap(sentence, 80 - 3 - len(mark))):
        yield f"  {mark if number == 0 else ' ' * len(mark)} {paint(line, style)}"
