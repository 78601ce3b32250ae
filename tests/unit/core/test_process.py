"""Child programs: statuses, timeouts, masking, clean environment."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from opsctl.core.errors import OpsError
from opsctl.core.process import CommandFailedError, client_options, command, quote_option, run


def test_output_and_status_of_a_program_come_back() -> None:
    done = run(command("sh", "-c", "echo out; echo err >&2; exit 3", ok=frozenset({3})), timeout_s=10)
    assert (done.status, done.text(), done.stderr.strip()) == (3, "out", "err")


def test_a_bad_status_raises_with_the_last_lines() -> None:
    with pytest.raises(CommandFailedError, match=r"sh exited with 7\n    the reason"):
        run(command("sh", "-c", "echo noise; echo the reason >&2; exit 7"), timeout_s=10)


def test_a_program_killed_by_a_signal_is_named_so() -> None:
    with pytest.raises(CommandFailedError, match="was killed by SIGKILL"):
        run(command("sh", "-c", "kill -9 $$"), timeout_s=10)


def test_a_program_that_takes_too_long_is_killed_with_its_children() -> None:
    with pytest.raises(CommandFailedError, match=r"took longer than 0.3 s"):
        run(command("sh", "-c", "sleep 100 & wait"), timeout_s=0.3)


def test_a_missing_program_is_named_with_the_next_command() -> None:
    with pytest.raises(OpsError, match="no-such-program is not installed") as caught:
        run(command("no-such-program"), timeout_s=1)
    assert caught.value.hint == "run: opsctl doctor"


def test_a_secret_word_reaches_the_program_and_no_error() -> None:
    cmd = command("sh", "-c", "test ${#0} = 6 && exit 9", SecretStr("sesame"))
    with pytest.raises(CommandFailedError, match="exited with 9") as caught:
        run(cmd, timeout_s=5)
    assert "sesame" not in str(caught.value)
    assert "********" in str(caught.value)


def test_the_operators_environment_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sentinel")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    done = run(command("env", EXTRA="1"), timeout_s=5).text().splitlines()
    assert "TZ=UTC" in done
    assert "EXTRA=1" in done
    assert not any("sentinel" in line for line in done)


def test_standard_input_is_given_or_empty() -> None:
    assert run(command("cat"), timeout_s=5, stdin=b"hello").stdout == b"hello"
    assert run(command("cat"), timeout_s=5).stdout == b""


def test_a_password_goes_through_a_descriptor_that_only_we_may_write() -> None:
    with client_options(user="o'ps", password=SecretStr('a"b\\c#d'), socket=Path("/run/x.sock")) as (option, fd):
        assert option == f"--defaults-extra-file=/dev/fd/{fd}"
        assert os.fstat(fd).st_mode & 0o777 == 0o600
        text = Path(f"/dev/fd/{fd}").read_text()
    assert text == '[client]\nuser="o\'ps"\npassword="a\\"b\\\\c#d"\nsocket="/run/x.sock"\n'
    assert quote_option("x\ny") == '"x\\ny"'
