"""Looking at a stack whose off-site repository does not answer: what can be seen is said, the rest is not known."""

import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.settings_example import render, toml_value
from opsctl.settings import Settings
from tests.golden import customer
from tests.integration.cli.conftest import Machine
from tests.support.sshd import Sshd, running_sshd


@pytest.fixture
def server() -> Iterator[Sshd]:
    """A server of the test's own, to be stopped."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        with running_sshd(Path(directory) / "sshd") as server:
            yield server


@pytest.fixture
def machine(server: Sshd, capsys: pytest.CaptureFixture[str]) -> Iterator[Machine]:
    """A machine with a recorded repository, and a copy of it on the server."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        directory = Path(name)
        shutil.copytree(customer.FORMATS[-1] / "repository", directory / "repository")
        shutil.copytree(directory / "repository", server.folder("copies")[0], dirs_exist_ok=True)
        there = server.server()
        values = {
            "name": "offsite",
            "kind": "sftp",
            "host": there.host,
            "port": there.port,
            "user": there.user,
            "key_file": there.key_file,
            "host_keys": there.host_keys,
            "path": f"{server.root}/copies",
        }
        config = customer.settings(directory, directory / "repository", sections={"stack": {"name": customer.STACK}})
        with config.open("a") as settings:
            settings.write("\n[[repositories]]\n")
            settings.writelines(f"{name} = {toml_value(value)}\n" for name, value in values.items())
        yield Machine(directory, capsys)


def repositories(document: dict[str, Any]) -> dict[str, str | None]:
    return {each["name"]: each["problem"] for each in document["repositories"]}


def test_a_copy_that_answers_counts_for_the_loss_of_the_host(machine: Machine) -> None:
    code, document = machine.json("status")
    assert code == 0
    assert repositories(document) == {"local": None, "offsite": None}
    assert document["off_host_until"] == document["recoverable_until"] is not None


def test_a_copy_that_does_not_answer_is_told_and_the_rest_is_shown_all_the_same(machine: Machine, server: Sshd) -> None:
    _, before = machine.json("status")
    server.stop()
    code, document = machine.json("status")
    assert code == 3
    assert document["recoverable_until"] == before["recoverable_until"]
    assert document["last_drill"] == before["last_drill"]
    assert document["off_host_until"] is None
    problems = repositories(document)
    assert problems["local"] is None
    assert "cannot be reached" in (problems["offsite"] or "")
    assert document["due"][0]["command"] == "opsctl doctor"
    assert [layer["checked"] for layer in document["layers"]] == [True, True, False, True, False]
    code, layers = machine.json("backup", "layers")
    assert (code, layers["layers"]) == (3, document["layers"])


def test_what_could_not_be_looked_at_is_not_called_lost_or_never_made(machine: Machine, server: Sshd) -> None:
    server.stop()
    code, out, _ = machine.opsctl("status")
    assert code == 3
    assert "If the host is lost: not known" in out
    assert "loses everything" not in out
    assert "unknown" in next(line for line in out.splitlines() if line.startswith("3 copy off-site"))
    assert max(len(line) for line in out.splitlines()) <= 80


def test_when_the_first_repository_does_not_answer_nothing_is_said_to_be_missing(
    machine: Machine, server: Sshd
) -> None:
    """As on a drill host, whose first repository may be elsewhere."""
    values = tomllib.loads(machine.config.read_text())
    section = {**values["machine"], "place": "drill_host"}
    repositories = values["repositories"][::-1]
    machine.config.write_text(render(Settings, {**values, "machine": section, "repositories": repositories}))
    server.stop()
    code, document = machine.json("status")
    assert (code, document["recoverable_until"]) == (3, None)
    assert not [due for due in document["due"] if due["what"].startswith(("a backup", "a shipment"))]
    assert "It is not known what could be brought back" in machine.opsctl("status")[1]


def test_credentials_that_are_refused_are_told_like_a_silent_server(machine: Machine, server: Sshd) -> None:
    (server.directory / "authorized_keys").write_text("")
    code, document = machine.json("status")
    assert code == 3
    assert repositories(document)["local"] is None
    assert repositories(document)["offsite"] is not None


def test_a_copy_whose_content_does_not_hold_ends_the_look(machine: Machine, server: Sshd) -> None:
    [manifest] = server.root.glob("copies/golden/backups/*/manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b'"stack":"golden"', b'"stack":"silver"'))
    assert machine.opsctl("status")[0] == 12
