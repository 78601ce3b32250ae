"""Full disks: recognised in whatever words, and said with the place and the next command."""

import errno
import os
from pathlib import Path

import pytest

from opsctl.cli.errors import exit_code_of, message_of
from opsctl.core.errors import ExitCode
from opsctl.core.process import Command, CommandFailedError, Completed, TimedOutError
from opsctl.core.room import DiskFullError, needing_room, says_full


@pytest.mark.parametrize(
    "said",
    [
        "tar: srv/site/a: Wrote only 512 of 10240 bytes: No space left on device",
        "Error writing file './shop/t.ibd' (Errcode: 28 \"No space left on device\")",
        "InnoDB: preallocating 268435456 bytes for file ./ib_logfile101 failed with error 28",
        "database or disk is full",
    ],
)
def test_programs_that_say_so_are_understood(said: str) -> None:
    assert says_full(said)


def test_other_failures_are_not_taken_for_it() -> None:
    assert not says_full("tar: Unexpected EOF in archive")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_the_place_and_the_next_command_are_named(number: int) -> None:
    with pytest.raises(DiskFullError) as caught, needing_room(Path("/srv")):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code is ExitCode.FAILED
    assert caught.value.where == "/srv"
    assert "df -h /srv" in str(caught.value.hint)


def test_other_errors_pass_through() -> None:
    with pytest.raises(PermissionError), needing_room(Path("/srv")):
        raise PermissionError(errno.EACCES, "no")


def test_one_that_nobody_foresaw_is_no_defect_of_the_program() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/srv/file")
    message, where, hint = message_of(error)
    assert (message, where) == ("the disk is full", "/srv/file")
    assert hint is not None
    assert "df -h" in hint
    assert exit_code_of(error) is ExitCode.FAILED


def test_a_program_that_ran_into_it_or_out_of_time_says_what_to_type() -> None:
    done = Completed(Command(("tar",)), 2, b"", "tar: No space left on device\n", 1.0)
    assert CommandFailedError(done).hint == "make room: df -h"
    late = TimedOutError(done, 4.0)
    assert "took longer than 4 s and was killed" in late.message
    assert late.hint is not None
