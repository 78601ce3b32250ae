"""Years of backups: what lists and dry runs ask of a store does not grow with them, and memory is no authority."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from backup import layout
from backup.copies.run import Destination, copy_to
from backup.settings import CopySection
from backup.summary import Memory, manifests, remember, remember_one, summaries
from opsctl.core.errors import IntegrityError
from opsctl.core.store import s3 as s3_module
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket, connect
from tests.integration.cli.conftest import Machine
from tests.integration.copies.test_copy import flip
from tests.support.history import STACK, History, plain_host
from tests.support.moto_s3 import moto_s3
from tests.support.s3server import write_credentials


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """The requests that S3 stores make, by their names."""
    counts: Counter[str] = Counter()

    def counted(bucket: S3Bucket) -> Any:
        client = connect(bucket)
        client.meta.events.register("before-call.s3", lambda model, **_: counts.update([model.name]))
        return client

    with moto_s3():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
        client.create_bucket(Bucket="many")
        monkeypatch.setattr(s3_module, "connect", counted)
        yield counts


def machine_with(directory: Path, history: History, capsys: pytest.CaptureFixture[str]) -> Machine:
    """A drill host with a bucket, into which the history was copied."""
    write_credentials(directory / "credentials", "x", "y")
    store = S3Store(S3Bucket(bucket="many", credentials_file=directory / "credentials"))
    copied = copy_to(history.host, Destination("bucket", store, off_host=True), CopySection())
    assert copied.body.problems == ()
    machine = Machine(directory, capsys)
    machine.config.write_text(
        f"""
[stack]
name = "{STACK}"
[machine]
place = "drill_host"
state_dir = "{directory}/drill-state"
lock_dir = "{directory}/locks"
[trust]
signer = "host@acme"
signing_key = "{directory}/etc/signing_key"
allowed_signers = "{directory}/etc/allowed_signers"
[[repositories]]
name = "bucket"
kind = "s3"
bucket = "many"
credentials_file = "{directory}/credentials"
"""
    )
    return machine


def grown(directory: Path, days: int) -> History:
    made = History(plain_host(directory), size=500)
    for _ in range(days):
        made.backup()
        made.ship()
    made.head()
    return made


@pytest.mark.parametrize("days", [3, 24])
def test_lists_and_dry_runs_take_a_handful_of_requests_for_listings_however_much_there_is(
    tmp_path: Path, asked: Counter[str], capsys: pytest.CaptureFixture[str], days: int
) -> None:
    machine = machine_with(tmp_path, grown(tmp_path, days), capsys)
    assert machine.opsctl("backup", "prune", "--confirm", "bucket")[0] == 0
    asked.clear()
    assert len(machine.json("backup", "list")[1]["backups"]) >= 3
    assert (asked["ListObjectsV2"], asked["GetObject"]) == (2, 0)
    asked.clear()
    assert machine.opsctl("backup", "prune", "--dry-run")[0] == 0
    assert asked["ListObjectsV2"] <= 5
    assert asked["GetObject"] <= 12


def test_what_is_remembered_is_what_reading_says(tmp_path: Path) -> None:
    history = grown(tmp_path, 4)
    catalog, state = history.host.catalog, tmp_path / "state"
    read = summaries(catalog, manifests(catalog))
    for manifest in history.manifests[:2]:
        remember_one(catalog, manifest, state)
    assert [each.id for each in Memory(state, catalog).recall().values()] == [each.id for each in read[:2]]
    remember(catalog, state)
    assert [*Memory(state, catalog).recall().values()] == read
    assert summaries(catalog, manifests(catalog), Memory(state, catalog)) == read


def test_a_manifest_that_changed_is_read_again_and_so_is_all_when_other_signers_are_trusted(tmp_path: Path) -> None:
    history = grown(tmp_path, 3)
    catalog, state = history.host.catalog, tmp_path / "state"
    remember(catalog, state)
    memory = Memory(state, catalog)
    flip(history.host.repository / layout.manifest(STACK, history.manifests[0].id))
    with pytest.raises(IntegrityError):
        summaries(catalog, manifests(catalog), memory)
    allowed = history.host.trust.allowed_signers
    allowed.write_text(allowed.read_text() + "# another\n")
    assert memory.recall() == {}


def test_a_damaged_memory_is_none(tmp_path: Path) -> None:
    history = grown(tmp_path, 2)
    catalog, state = history.host.catalog, tmp_path / "state"
    remember(catalog, state)
    memory = Memory(state, catalog)
    memory.path.write_bytes(memory.path.read_bytes()[:-5])
    assert memory.recall() == {}
    assert len(summaries(catalog, manifests(catalog), memory)) == 2
