"""The one place where an error becomes an exit code and two lines on standard error."""

import shutil
import sys
import textwrap
import traceback

from opsctl.core.errors import EXIT_MEANINGS, ExitCode, OpsError
from opsctl.core.room import FULL

MAX_WIDTH = 100

# The `\b` keeps the help formatter from joining the lines.
EXIT_TABLE = "\b\nExit codes:\n" + "\n".join(f"{code.value:>5}  {meaning}" for code, meaning in EXIT_MEANINGS.items())


def exit_code_of(error: BaseException) -> ExitCode:
    """Map anything that ended a command to the exit code that says so."""
    if isinstance(error, OpsError):
        return ExitCode(error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, Exception):
        return ExitCode.FAILED
    return ExitCode.TERMINATED


def message_of(error: BaseException) -> tuple[str, str | None, str | None]:
    """Message, place and hint of anything that ended a command."""
    if isinstance(error, OpsError):
        return error.message, error.where, error.hint
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; everything begun was cleaned up", None, None
    if isinstance(error, OSError) and error.errno in FULL:
        return "the disk is full", error.filename, "make room, then run it again: df -h"
    if isinstance(error, Exception):
        return (
            f"a defect in opsctl: {type(error).__name__}: {error}",
            None,
            "run it again with --debug and report what it shows",
        )
    return "terminated; everything begun was cleaned up", None, None


def show(error: BaseException, *, debug: bool) -> ExitCode:
    """Write `Error:` and `Try:` to standard error, the traceback only with `debug`; return the exit code."""
    message, where, hint = message_of(error)
    if debug:
        sys.stderr.write("".join(traceback.format_exception(error)))
    first, newline, rest = message.partition("\n")
    write_error(f"{first} ({where}){newline}{rest}" if where else message, hint)
    return exit_code_of(error)


def write_error(message: str, hint: str | None) -> None:
    """Write a message and what to type next, wrapped at the terminal's width."""
    width = min(shutil.get_terminal_size((80, 24)).columns, MAX_WIDTH)
    _write("Error: ", message, width)
    if hint:
        _write("Try: ", hint, width)
    sys.stderr.flush()


def _write(label: str, text: str, width: int) -> None:
    first, *others = text.splitlines() or [""]
    lines = _wrap(f"{label}{first}", width, "", " " * len(label))
    for line in others:
        indent = " " * (len(line) - len(line.lstrip()))
        lines += _wrap(line.strip(), width, indent, indent + "  ")
    sys.stderr.write("\n".join(lines) + "\n")


def _wrap(text: str, width: int, first: str, others: str) -> list[str]:
    """Wrap between words only: paths and commands stay whole, to be copied."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
