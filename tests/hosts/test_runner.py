"""Programs run on another host as on this one."""

from collections.abc import Callable, Iterator

import pytest

from opsctl.core.errors import AuthError, OpsError, UnreachableError
from opsctl.core.process import CommandFailedError, command
from opsctl.core.runner_ssh import SshRunner
from opsctl.core.ssh import SshAccount
from tests.contracts.runner import RunnerContract
from tests.hosts.host import Host

TIMEOUT_S = 60.0


def account(host: Host, **changes: object) -> SshAccount:
    given = {"host": host.address, "user": "root", "key_file": host.identity, "host_keys": (host.host_key,)}
    return SshAccount(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    return hosts()


@pytest.fixture
def runner(running: Host) -> Iterator[SshRunner]:
    made = SshRunner(account(running))
    yield made
    made.close()


class TestSshRunner(RunnerContract):
    pass


def test_input_and_output_of_any_size_pass_at_the_same_time(runner: SshRunner) -> None:
    data = bytes(range(256)) * 40_000
    done = runner.run(command("sh", "-c", "tee /dev/stderr"), timeout_s=TIMEOUT_S, stdin=data)
    assert done.stdout == data
    assert done.stderr == data[-8192:].decode(errors="replace")


def test_a_program_need_not_read_its_input(runner: SshRunner) -> None:
    assert runner.run(command("true"), timeout_s=TIMEOUT_S, stdin=b"x" * 10_000_000).ok


def test_what_takes_too_long_is_gone_on_the_other_side(runner: SshRunner, running: Host) -> None:
    with pytest.raises(CommandFailedError, match="was killed"):
        runner.run(command("sh", "-c", "trap '' TERM; while :; do sleep 1234; done"), timeout_s=0.5)
    assert running.run("pgrep", "-f", "sleep 1234", check=False).stdout == ""


def test_a_connection_that_ends_is_no_exit_status_and_the_next_command_connects_again(
    runner: SshRunner, running: Host
) -> None:
    with pytest.raises(UnreachableError, match="the connection was lost while sh ran"):
        runner.run(command("sh", "-c", "kill -9 $(ps -o ppid= -p $PPID); sleep 60"), timeout_s=TIMEOUT_S)
    assert runner.run(command("true"), timeout_s=TIMEOUT_S).ok


def test_another_host_key_is_refused_before_anything_is_said(running: Host) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPutTheServersOwnPublicKeyHereYourselfPlease"
    with pytest.raises(AuthError, match="none of the pinned ones"):
        SshRunner(account(running, host_keys=(other,))).run(command("true"), timeout_s=TIMEOUT_S)


def test_a_host_that_is_not_there_is_unreachable(running: Host) -> None:
    with pytest.raises(UnreachableError, match="cannot be reached"):
        SshRunner(account(running, port=9)).run(command("true"), timeout_s=TIMEOUT_S)


def test_a_descriptor_does_not_cross_the_network(runner: SshRunner) -> None:
    with pytest.raises(OpsError, match="cannot be passed"):
        runner.run(command("true").prefixed((), pass_fds=(1,)), timeout_s=TIMEOUT_S)


def test_input_comes_in_parts_and_what_cannot_be_had_of_it_is_said(runner: SshRunner) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    assert runner.run(command("cat"), timeout_s=TIMEOUT_S, stdin=parts()).text() == "one two"

    def broken() -> Iterator[bytes]:
        yield b"one "
        raise OpsError("the file is gone")

    with pytest.raises(OpsError, match="the file is gone"):
        runner.run(command("cat"), timeout_s=TIMEOUT_S, stdin=broken())
    assert runner.run(command("true"), timeout_s=TIMEOUT_S).ok, "the connection is none the worse"
