"""A customer whose host is lost: copied to an SFTP server and a bucket, verified and drilled there."""

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.settings_example import toml_value
from opsctl.core.store.s3_connection import S3Bucket
from opsctl.overview.demo.stack import DemoStack
from tests.integration.cli.conftest import Machine, init_words, run_accounts_sql
from tests.support.sshd import Sshd


@pytest.fixture
def customer(demo: DemoStack, capsys: pytest.CaptureFixture[str]) -> Iterator[Machine]:
    """The throwaway customer's host."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        machine = Machine(Path(name), capsys)
        assert machine.opsctl(*init_words(machine, demo))[0] == 0
        run_accounts_sql(machine, demo)
        yield machine


def describe(machine: Machine, **values: object) -> None:
    """Add a repository to the settings."""
    with machine.config.open("a") as settings:
        settings.write("\n[[repositories]]\n")
        settings.writelines(f"{name} = {toml_value(value)}\n" for name, value in values.items())


@pytest.fixture
def offsite(customer: Machine, sshd: Sshd, folder: tuple[Path, str]) -> None:
    """A repository on an SFTP server."""
    server = sshd.server()
    describe(
        customer,
        name="offsite",
        kind="sftp",
        host=server.host,
        port=server.port,
        user=server.user,
        key_file=server.key_file,
        host_keys=server.host_keys,
        path=folder[1],
    )


@pytest.fixture
def bucket(customer: Machine, s3_bucket: S3Bucket) -> None:
    """A repository in a bucket."""
    describe(
        customer,
        name="bucket",
        kind="s3",
        bucket=s3_bucket.bucket,
        endpoint=s3_bucket.endpoint,
        path_style=True,
        credentials_file=s3_bucket.credentials_file,
    )


@pytest.mark.usefixtures("offsite", "bucket")
def test_what_was_copied_elsewhere_is_verified_and_drilled_there_when_the_host_is_lost(customer: Machine) -> None:
    _back_up(customer)
    (customer.directory / "repository").rename(customer.directory / "lost")
    for name in ("offsite", "bucket"):
        code, document = customer.json("backup", "verify", "--repository", name)
        assert (code, name) == (0, name), document
        code, document = customer.json("drill", "run", "--repository", name)
        assert (code, name) == (0, name), document
        assert [result["outcome"] for result in document["report"]["body"]["results"]] == ["passed"] * 8
        assert len(customer.json("drill", "list", "--repository", name)[1]["drills"]) == 1
    code, document = customer.json("doctor")
    readable = {probe["id"]: probe["outcome"] for probe in document["results"] if probe["id"].endswith(".readable")}
    assert readable["repository.offsite.readable"] == readable["repository.bucket.readable"] == "passed"


def _back_up(machine: Machine) -> None:
    """Back up and ship; both go to the other repositories by themselves, and one that is away fails neither."""
    code, document = machine.json("backup", "run")
    assert (code, [each["outcome"] for each in document["copies"]]) == (0, ["passed", "passed"]), document
    settings = machine.config.read_text()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    machine.config.write_text(re.sub(r"(?m)^port = .*", f"port = {port}", settings))
    code, document = machine.json("binlog", "ship")
    assert (code, [each["outcome"] for each in document["copies"]]) == (3, ["could_not_run", "passed"]), document
    assert machine.opsctl("backup", "copy", "--to", "offsite")[0] == 3
    machine.config.write_text(settings)
    code, document = machine.json("backup", "copy", "--dry-run")
    assert (code, [(each["repository"], each["objects"] > 0) for each in document["missing"]]) == (
        0,
        [("offsite", True), ("bucket", False)],
    )
    code, out, _ = machine.opsctl("backup", "copy")
    assert (code, max(len(line) for line in out.splitlines()) <= 80) == (0, True), out
    assert machine.opsctl("backup", "copy", "--to", "local")[0] == 2
    assert machine.opsctl("backup", "copy", "--to", "nowhere")[0] == 2
