"""Progress on a terminal: drawn on standard error only, silent where nobody watches."""

import os
import pty
import subprocess
import sys

from opsctl.cli.options import Options
from opsctl.cli.session import Session
from opsctl.core.progress import Silent

WORK = """
import sys
from opsctl.cli.options import Options
from opsctl.cli.session import Session
session = Session(Options(no_color="plain" in sys.argv, quiet="quiet" in sys.argv))
progress = session.progress
progress.step("reading [all] of it", total_bytes=3_000_000)
progress.advance(1_000_000)
progress.advance(2_000_000)
progress.note("a note [that] stays")
progress.step("Writing")
session.close(failed="fail" in sys.argv)
print("data")
"""


def watched(*words: str) -> tuple[str, str]:
    """Run the work with standard error on a terminal; standard output, and what the terminal got."""
    ours, theirs = pty.openpty()
    surroundings = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-c", WORK, *words],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**surroundings, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        text=True,
    ) as child:
        os.close(theirs)
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            seen += chunk
        out, _ = child.communicate()
    os.close(ours)
    assert child.returncode == 0, seen.decode()
    return out, seen.decode()


def test_steps_are_ticked_off_with_size_and_duration() -> None:
    out, seen = watched()
    assert out == "data\n"
    assert "Reading [all] of it" in seen
    assert "3 MB" in seen
    assert "a note [that] stays" in seen
    assert seen.count("✓") == 2
    assert "\x1b[32m✓" in seen


def test_the_step_that_failed_is_marked() -> None:
    _, seen = watched("fail")
    assert seen.count("✓") == 1
    assert seen.count("✗") == 1


def test_no_colours_where_none_are_wanted() -> None:
    _, seen = watched("plain")
    assert "✓ Reading" in seen
    assert "\x1b[32m" not in seen


def test_quiet_draws_nothing() -> None:
    assert watched("quiet") == ("data\n", "")


def test_without_a_terminal_nothing_is_drawn() -> None:
    assert isinstance(Session(Options()).progress, Silent)
