"""Pipelines: every status counts, bytes are seen and unchanged, stalls and errors take everything down."""

import hashlib
import io
import os
import time

import pytest

from opsctl.core.pipeline import Sink, Source, StalledError, Tap, run_pipeline
from opsctl.core.process import CommandFailedError, command

DATA = os.urandom(3_000_001)


def collect(*stages: object) -> bytes:
    out = bytearray()
    run_pipeline([*stages, Sink(out.extend)], timeout_s=20)  # type: ignore[list-item]
    return bytes(out)


def test_bytes_pass_unchanged_and_taps_see_all_of_them() -> None:
    seen, also = hashlib.sha256(), hashlib.sha256()
    out = collect(Source(io.BytesIO(DATA), (also.update,)), command("cat"), Tap((seen.update,)), command("cat"))
    assert out == DATA
    assert seen.digest() == also.digest() == hashlib.sha256(DATA).digest()


def test_a_source_may_flow_straight_into_a_sink() -> None:
    assert collect(Source(io.BytesIO(DATA))) == DATA
    assert collect(Source(io.BytesIO(b""))) == b""


def test_a_program_at_the_end_needs_no_reader() -> None:
    done = run_pipeline([Source(io.BytesIO(DATA)), command("sh", "-c", "cat >/dev/null; exit 0")], timeout_s=20)
    assert [each.status for each in done] == [0]


def test_a_producer_that_fails_after_writing_fails_the_pipeline() -> None:
    with pytest.raises(CommandFailedError, match="sh exited with 3"):
        collect(command("sh", "-c", "echo data; exit 3"), command("cat"))


def test_a_producer_killed_midway_fails_the_pipeline() -> None:
    with pytest.raises(CommandFailedError, match="was killed by SIGKILL"):
        collect(command("sh", "-c", "echo data; kill -9 $$"), command("cat"), command("cat"))


def test_the_cause_is_named_and_not_its_echo_up_the_pipe() -> None:
    with pytest.raises(CommandFailedError, match="sh exited with 4"):
        collect(command("cat", "/dev/zero"), command("sh", "-c", "exit 4"))


def test_an_early_end_of_the_consumer_is_no_success() -> None:
    with pytest.raises(CommandFailedError, match="cat was killed by SIGPIPE"):
        collect(command("cat", "/dev/zero"), command("head", "-c", "10"))


def test_an_observer_that_raises_stops_everything() -> None:
    def refuse(chunk: memoryview) -> None:
        raise ValueError("seen enough")

    with pytest.raises(ValueError, match="seen enough"):
        collect(command("cat", "/dev/zero"), Tap((refuse,)), command("cat"))


def test_a_writer_that_stalls_takes_the_producer_down_in_time() -> None:
    def stall(chunk: memoryview) -> None:
        time.sleep(60)

    with pytest.raises(StalledError, match=r"took no bytes for 0.4 s"):
        run_pipeline([command("cat", "/dev/zero"), Sink(stall)], timeout_s=30, stall_s=0.4)


def test_a_slow_producer_is_not_a_stall() -> None:
    out = bytearray()
    run_pipeline([command("sh", "-c", "sleep 1; echo late"), Sink(out.extend)], timeout_s=20, stall_s=0.3)
    assert bytes(out) == b"late\n"


def test_a_pipeline_over_its_time_is_killed() -> None:
    with pytest.raises(CommandFailedError, match=r"sleep took longer than 0.3 s"):
        run_pipeline([command("sleep", "100"), Sink(lambda chunk: None)], timeout_s=0.3)


def test_no_descriptors_are_left_behind() -> None:
    collect(Source(io.BytesIO(DATA)), command("cat"), Tap(()))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        collect(Source(io.BytesIO(DATA)), command("cat"), Tap(()))
        with pytest.raises(CommandFailedError):
            collect(command("cat", "/dev/zero"), command("false"))
    assert len(os.listdir("/proc/self/fd")) == before
