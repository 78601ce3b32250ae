"""From an error to an exit code, two lines, and a JSON document."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.cli.errors import exit_code_of, show
from opsctl.cli.main import run
from opsctl.cli.signals import Terminated
from opsctl.core.errors import (
    AuthError,
    ExitCode,
    IntegrityError,
    LockedError,
    OpsError,
    SettingsError,
    UnreachableError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OpsError("x"), 1),
        (SettingsError("x"), 2),
        (OpsError("x", exit_code=ExitCode.PARTIAL), 3),
        (OpsError("x", exit_code=ExitCode.FINDINGS), 4),
        (AuthError("x"), 5),
        (UnreachableError("x"), 10),
        (LockedError("x"), 11),
        (IntegrityError("x"), 12),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_error_says_what_where_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    show(AuthError("there is no signing key", where="/etc/key", hint="opsctl init"), debug=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Error: there is no signing key (/etc/key)\nTry: opsctl init\n"


def test_a_long_error_is_wrapped_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    path = "/a/very/long/path/that/has-to-stay-in-one-piece/to-be-copied"
    show(OpsError("many words " * 12 + path), debug=False)
    err = capsys.readouterr().err
    assert path in err
    assert max(len(line) for line in err.splitlines() if path not in line) <= 60


def test_a_defect_shows_no_traceback_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        _ = 1 // 0
    except ZeroDivisionError as error:
        show(error, debug=False)
        assert "Traceback" not in capsys.readouterr().err
        show(error, debug=True)
        assert "Traceback" in capsys.readouterr().err


def test_with_json_an_error_is_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--json", "--config", str(tmp_path / "absent")]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["kind"], document["exit_code"]) == (1, "error", 2)
    assert document["hint"] == "make one with: opsctl init"


SIGNALLED = """
import os, signal, sys, time
from opsctl.cli import signals
from opsctl.cli.errors import show
signals.install()
try:
    try:
        print("ready", flush=True)
        while True:
            time.sleep(60)
    finally:
        print("cleaning", flush=True)
        if sys.argv[1] == "slow":
            time.sleep(600)
except BaseException as error:
    sys.exit(show(error, debug=False))
"""


def started(how: str) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-c", SIGNALLED, how], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_cleans_up_and_has_its_exit_code(number: signal.Signals, code: int) -> None:
    with started("quick") as child:
        os.kill(child.pid, number)
        out, err = child.communicate()
    assert out == b"cleaning\n"
    assert b"everything begun was cleaned up" in err
    assert child.returncode == code


def test_a_second_interrupt_leaves_at_once() -> None:
    with started("slow") as child:
        os.kill(child.pid, signal.SIGINT)
        assert child.stdout is not None
        assert child.stdout.readline() == b"cleaning\n"
        os.kill(child.pid, signal.SIGINT)
        assert child.wait() == 130
