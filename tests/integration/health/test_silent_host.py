"""A host that died tells nobody; its drill host notices that nothing new arrives in the repository."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.health.conftest import Program
from tests.support.mariadb import running_server
from tests.support.receivers import receiver
from tests.support.repository import Repository, repository

_SETTINGS = """
[trust]
signer = "drill@acme"
allowed_signers = "{signers}"
[machine]
place = "drill_host"
state_dir = "{directory}/state"
lock_dir = "{directory}/run"
[[repositories]]
name = "copy"
path = "{repository}"
"""


@pytest.fixture(scope="module")
def arrived() -> Iterator[Repository]:
    """A repository in which a backup and a head have just arrived."""
    with running_server(["--log-bin=bin", "--server-id=7"]) as server, repository() as made:
        server.sql("CREATE DATABASE opsctl")
        made.backup(server)
        made.publish_head()
        yield made


def use(program: Program, arrived: Repository, *more: str) -> None:
    text = _SETTINGS.format(
        directory=program.directory, repository=arrived.store.directory, signers=arrived.host.trust.allowed_signers
    )
    (program.directory / "opsctl.toml").write_text('[stack]\nname = "acme"\n' + text + "\n".join(more))


def test_while_backups_and_logs_arrive_all_is_well(program: Program, arrived: Repository) -> None:
    use(program, arrived)
    code, answer = program.json("health", "run")
    assert code == 0, answer
    assert {"host.backups_copy", "host.logs_copy"} <= {result["id"] for result in answer["results"]}


def test_when_nothing_new_arrives_somebody_hears_of_the_host(program: Program, arrived: Repository) -> None:
    with receiver() as hook:
        path = program.secret("hook.url", hook.url("json"))
        use(
            program,
            arrived,
            "[binlog]\nfresh_min = 0.00001\n",
            f'[[channels]]\nname = "hook"\nurl_file = "{path}"\n',
        )
        code, answer = program.json("health", "run")
        assert code == 4
        assert [result["id"] for result in answer["results"] if result["outcome"] == "failed"] == ["host.logs_copy"]
        assert [request.json()["title"] for request in hook.requests] == ["acme: FAILED: binary logs arrive in 'copy'"]


def test_a_repository_that_nobody_signed_proves_nothing(program: Program, arrived: Repository) -> None:
    use(program, arrived)
    stranger = program.directory / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    (program.directory / "signers").write_text(f"x {stranger.with_suffix('.pub').read_text()}")
    settings = program.directory / "opsctl.toml"
    settings.write_text(
        settings.read_text().replace(str(arrived.host.trust.allowed_signers), str(program.directory / "signers"))
    )
    code, answer = program.json("health", "run")
    assert code == 3
    assert answer["could_not_run"] == 2
