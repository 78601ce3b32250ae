"""What is kept of what a job said."""

import pytest

from opsctl.schedule.run import LAST_LINES, last_lines


def test_the_last_lines_are_kept_and_empty_ones_left_out() -> None:
    said = "\n\n".join(f"line {number}" for number in range(100))
    assert last_lines(said) == tuple(f"line {number}" for number in range(100 - LAST_LINES, 100))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("sftp://acme:hunter2@backup.example/x is gone", "sftp://acme:********@backup.example/x is gone"),
        ("password = hunter2 refused", "password = ******** refused"),
        ("API_KEY:hunter2", "API_KEY:********"),
        ("the file has AGE-SECRET-KEY-1QQQQ in it", "the file has ******** in it"),
        ("the password of root cannot be read", "the password of root cannot be read"),
    ],
)
def test_secrets_of_a_known_form_are_masked(said: str, kept: str) -> None:
    assert last_lines(said) == (kept,)


def test_what_a_terminal_would_act_on_is_gone() -> None:
    assert last_lines("red \x1b[31malert\x07\r\n") == ("red  [31malert",)
