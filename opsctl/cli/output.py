"""What a command hands back, and how it reaches standard output: as text for people or as JSON for programs."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from opsctl.core.errors import ExitCode

VERSION = 1


class Document(BaseModel):
    """The base of every JSON output: `version`, `kind`, and the fields of that kind. docs/schemas has the schemas."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION


class Painter:
    """Colours text, or leaves it as it is when colours are off."""

    _CODES = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}  # noqa: RUF012

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, style: str | None) -> str:
        """Return the text in a style: green, red, yellow, cyan, bold, dim, or none."""
        if not self.on or style is None or not text:
            return text
        return f"\x1b[{self._CODES[style]}m{text}\x1b[0m"


@dataclass(frozen=True)
class Answer:
    """What a command found or did.

    `text` writes it for a person. A `report` is news of something done: with --quiet it is not shown unless there is
    something to act on. Everything else is data and always shown.
    """

    document: Document
    text: Callable[[Painter], Iterable[str]]
    exit_code: ExitCode = ExitCode.DONE
    report: bool = False


def deliver(answer: Answer, *, as_json: bool, quiet: bool, color: bool) -> int:
    """Write an answer to standard output and return the exit code."""
    if as_json:
        write_document(answer.document)
    elif not (quiet and answer.report and answer.exit_code is ExitCode.DONE):
        paint = Painter(color and colors_wanted())
        for line in answer.text(paint):
            print(line)
    sys.stdout.flush()
    return answer.exit_code


def write_document(document: Document) -> None:
    """Write one JSON document."""
    print(json.dumps(document.model_dump(mode="json"), indent=2, ensure_ascii=False))


def write_text(text: str) -> None:
    """Write text as it is, such as a settings file or a help page."""
    sys.stdout.write(text)


def colors_wanted() -> bool:
    """Whether standard output is a terminal that wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
