"""What every Runner must do. A test module subclasses RunnerContract and gives a `runner` fixture."""

import pytest

from opsctl.core.errors import OpsError
from opsctl.core.process import CommandFailedError, command
from opsctl.core.runner import Runner

TIMEOUT_S = 60.0


class RunnerContract:
    """Subclass, and provide the fixture `runner`."""

    def test_it_says_where_it_runs(self, runner: Runner) -> None:
        assert runner.where

    def test_output_and_errors_come_back(self, runner: Runner) -> None:
        done = runner.run(command("sh", "-c", "echo out; echo err >&2"), timeout_s=TIMEOUT_S)
        assert (done.status, done.text(), done.stderr) == (0, "out", "err\n")

    def test_a_bad_exit_status_is_an_answer_and_no_error(self, runner: Runner) -> None:
        done = runner.run(command("sh", "-c", "exit 7"), timeout_s=TIMEOUT_S)
        assert (done.status, done.ok) == (7, False)

    def test_words_arrive_as_they_are(self, runner: Runner) -> None:
        words = ("", "a b", "$HOME", "`id`", "*", "'", '"', "\\", "ü", "-n", "line\nend")
        done = runner.run(command("printf", r"[%s]", *words), timeout_s=TIMEOUT_S)
        assert done.stdout.decode() == "".join(f"[{word}]" for word in words)

    def test_a_program_that_is_not_there_is_an_error(self, runner: Runner) -> None:
        with pytest.raises(OpsError, match="not installed"):
            runner.run(command("no-such-program-anywhere"), timeout_s=TIMEOUT_S)

    def test_what_takes_too_long_is_killed(self, runner: Runner) -> None:
        with pytest.raises(CommandFailedError, match="was killed"):
            runner.run(command("sleep", "600"), timeout_s=0.2)

    def test_the_time_zone_is_utc(self, runner: Runner) -> None:
        assert runner.run(command("date", "+%z"), timeout_s=TIMEOUT_S).text() == "+0000"
