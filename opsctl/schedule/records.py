"""The record that each run of a job leaves."""

from pydantic import BaseModel, ConfigDict

KIND = "job"
VERSION = 1


class JobBody(BaseModel):
    """How one run of a job ended.

    `argv` are the words after `opsctl`; `exit_code` is as a shell shows it (128 + the signal when one ended it);
    `timed_out` when it was stopped for taking longer than `timeout_s` seconds; `expects` is the kind of record that it
    had to leave, `left_record` whether it did; `last_lines` are the end of what it said, secrets masked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    argv: tuple[str, ...]
    exit_code: int
    timed_out: bool
    timeout_s: float
    expects: str
    left_record: bool
    last_lines: tuple[str, ...]
