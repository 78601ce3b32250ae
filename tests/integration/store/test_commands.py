"""A customer whose host is lost: verified, restored and drilled from an SFTP server and from a bucket."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.settings_example import toml_value
from opsctl.core.store import Store, get, put
from opsctl.core.store.directory import DirectoryStore
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from opsctl.core.store.sftp import SftpStore
from opsctl.overview.demo.stack import DemoStack
from tests.integration.cli.conftest import Machine, init_words, run_accounts_sql
from tests.support.sshd import Sshd


@pytest.fixture
def customer(demo: DemoStack, capsys: pytest.CaptureFixture[str]) -> Iterator[Machine]:
    """The throwaway customer's host, backed up and shipped."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        machine = Machine(Path(name), capsys)
        assert machine.opsctl(*init_words(machine, demo))[0] == 0
        run_accounts_sql(machine, demo)
        assert machine.opsctl("backup", "run")[0] == 0
        assert machine.opsctl("binlog", "ship")[0] == 0
        yield machine


def _copy(source: Store, target: Store) -> None:
    for item in source.list(""):
        put(target, item.key, get(source, item.key))


def _describe(machine: Machine, **values: object) -> None:
    with machine.config.open("a") as settings:
        settings.write("\n[[repositories]]\n")
        settings.writelines(f"{name} = {toml_value(value)}\n" for name, value in values.items())


@pytest.fixture
def offsite(customer: Machine, sshd: Sshd, folder: tuple[Path, str], sftp_store: SftpStore) -> None:
    """A copy of the repository on an SFTP server."""
    _copy(DirectoryStore(customer.directory / "repository"), sftp_store)
    server = sshd.server()
    _describe(
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
def bucket(customer: Machine, s3_bucket: S3Bucket, s3_store: S3Store) -> None:
    """A copy of the repository in a bucket."""
    _copy(DirectoryStore(customer.directory / "repository"), s3_store)
    _describe(
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
