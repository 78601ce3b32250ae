"""What every refusal has: its exit code, what and where it is, and something to type that exists."""

import re
import shutil
from typing import Any

import typer

from opsctl.cli.main import Root, app
from opsctl.core.errors import ExitCode
from tests.integration.kills.machine import Ended, Machine

_SQL = ("GRANT", "CREATE", "ALTER", "RENAME", "SHOW", "SET", "SELECT")
_OPSCTL = re.compile(r"opsctl ((?:[a-z-]+ ?)+)")


def refuses(machine: Machine, words: str, code: ExitCode, *said: str) -> Ended:
    """Run a command that has to be refused, in words that hold all of `said`; return how it ended."""
    ended = machine.opsctl(*words.split())
    is_refusal(ended, code, *said)
    return ended


def is_refusal(ended: Ended, code: ExitCode, *said: str) -> None:
    """Judge how a command ended."""
    assert ended.code == code, ended
    assert ended.out == ""
    assert ended.err.startswith("Error:"), ended
    assert "Traceback" not in ended.err
    error, found, hint = " ".join(ended.err.split()).partition(" Try: ")
    assert found, f"nothing to type next: {ended.err}"
    for words in said:
        assert words in f"{error} {hint}", ended.err
    can_be_typed(hint)


def can_be_typed(hint: str) -> None:
    """A hint holds a command of opsctl's that exists, a program that is here, or a statement of SQL."""
    named = [path for path in _OPSCTL.findall(hint) if path.split()[0] in Root.summaries]
    for path in named:
        assert _exists(path.split()), f"there is no opsctl {path}"
    words = re.findall(r"[A-Za-z][\w.-]*", hint)
    assert named or any(word in _SQL or shutil.which(word) for word in words), f"nothing can be typed: {hint}"


def _exists(words: list[str]) -> bool:
    """Whether words begin with a command; what follows it may be arguments, or the rest of a sentence."""
    root = typer.main.get_command(app)
    command: Any = root.get_command(typer.Context(root), words[0])  # type: ignore[attr-defined]
    return not hasattr(command, "commands") or (len(words) > 1 and words[1] in command.commands)
