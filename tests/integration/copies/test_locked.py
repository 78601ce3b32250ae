"""Copies that nobody can delete: what a backup needs is locked for as long as the backup, and it is tried."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from backup.binlog.gaps import GapKind, find_gaps
from backup.catalog import Catalog
from backup.chain import chain_of, needed_keys
from backup.copies import locks
from backup.copies.immutable import last_tried, try_to_harm
from backup.copies.run import Destination
from backup.layers import Layer, layers
from backup.survey import Place, survey
from backup.verify import verify_backup
from opsctl.core.result import Outcome
from opsctl.core.runner import LocalRunner
from opsctl.core.store import DeniedError
from opsctl.core.store import s3 as s3_module
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from opsctl.core.store.sftp import SftpStore
from opsctl.overview.probes.immutable import immutable_probes
from tests.integration.copies.test_copy import copy, holds
from tests.support.history import STACK, History
from tests.support.moto_s3 import moto_s3
from tests.support.s3server import write_credentials

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

DAYS = 30


@pytest.fixture
def client() -> Iterator["S3Client"]:
    with moto_s3():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
        client.create_bucket(Bucket="locking", ObjectLockEnabledForBucket=True)
        yield client


@pytest.fixture
def store(client: "S3Client", tmp_path: Path) -> S3Store:
    write_credentials(tmp_path / "credentials", "x", "y")
    return S3Store(S3Bucket(bucket="locking", credentials_file=tmp_path / "credentials", lock_days=DAYS))


@pytest.fixture
def immutable(store: S3Store) -> Destination:
    return Destination("immutable", store, off_host=True, retain=timedelta(days=DAYS))


def at(monkeypatch: pytest.MonkeyPatch, days_ago: int) -> None:
    """Let locks be set as if it were that long ago."""
    for module in (locks, s3_module):
        monkeypatch.setattr(module, "utcnow", lambda: datetime.now(UTC) - timedelta(days=days_ago))


def delete_all_that_is_not_locked(store: S3Store, client: "S3Client") -> int:
    """What somebody does who has every credential there is."""
    deleted = 0
    for item in list(store.list("")):
        try:
            store.delete(item.key)
            deleted += 1
        except DeniedError:
            continue
    return deleted


def test_what_a_new_backup_needs_of_older_ones_stays_locked_with_it(
    history: History, immutable: Destination, store: S3Store, client: "S3Client"
) -> None:
    long_ago = S3Store(dataclasses.replace(store._bucket, lock_days=None))  # every lock of that time is over
    assert copy(history, Destination("immutable", long_ago, off_host=True)).outcome is Outcome.PASSED
    history.backup()
    full = history.manifests[0]
    newest = history.backup(parent=full, files_of=full)
    history.ship(2)
    history.now += timedelta(seconds=1)
    history.head()
    record = copy(history, immutable)
    assert record.outcome is Outcome.PASSED, record.body.problems
    assert record.body.locked_until is not None
    assert timedelta(days=DAYS - 1) < record.body.locked_until - datetime.now(UTC) <= timedelta(days=DAYS)
    assert delete_all_that_is_not_locked(store, client) > 10
    catalog = Catalog(store, STACK, history.host.verifier)
    assert needed_keys(chain_of(catalog, newest.id)) <= {item.key for item in store.list("")}
    for manifest in chain_of(catalog, newest.id):
        record_of = verify_backup(catalog, manifest.id, ledger=history.host.ledger, progress=history.host.progress)
        assert record_of.body.problems == ()
    assert {gap.kind for gap in find_gaps(catalog)} == {GapKind.RECORD}
    (ref,) = catalog.lineages()
    assert [segment.number for segment in catalog.segments(ref)] == [7, 8]


def test_the_newest_backup_is_locked_anew_when_no_other_comes(
    history: History, immutable: Destination, store: S3Store, client: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, days_ago=DAYS * 2 // 3)
    copy(history, immutable)
    at(monkeypatch, days_ago=0)
    record = copy(history, immutable)
    assert (record.body.objects, record.body.locks) == (0, 4 + 7)
    assert record.body.locked_until is not None
    assert record.body.locked_until > datetime.now(UTC) + timedelta(days=DAYS - 1)
    assert copy(history, immutable).body.locks == 0
    delete_all_that_is_not_locked(store, client)
    holds(history, store)


def test_a_lock_that_the_service_refuses_fails_the_copy(
    history: History, immutable: Destination, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str, until: datetime) -> None:
        raise DeniedError(f"{key} is not locked", where=store.where)

    monkeypatch.setattr(store, "extend_lock", refuse)
    record = copy(history, immutable)
    assert record.outcome is not Outcome.PASSED
    assert "is not locked" in record.body.problems[-1]


def _probe(history: History, destination: Destination, *, alone: bool = True) -> tuple[Outcome, str]:
    [probe] = immutable_probes(destination, STACK, history.host.ledger, alone=alone)
    result = probe.run(LocalRunner())
    assert result.passed or result.hint
    return result.outcome, result.found


def _layer(history: History, destination: Destination) -> Layer:
    host = history.host
    there = Place("immutable", dataclasses.replace(host, store=destination.store).catalog, True, immutable=True)
    return layers(STACK, [survey(there, lambda catalog: ())], host.ledger)[3]


def test_doctor_tries_to_harm_a_locked_store_and_the_layer_says_since_when_it_withstands(
    history: History, immutable: Destination, store: S3Store
) -> None:
    copy(history, immutable)
    assert "nobody has tried" in str(_layer(history, immutable).note)
    outcome, found = _probe(history, immutable)
    assert (outcome, found) == (Outcome.PASSED, "withstood delete, hide, unlock, overwrite, truncate")
    layer = _layer(history, immutable)
    assert (layer.configured, layer.verified, layer.note) == (True, None, None)
    catalog = Catalog(store, STACK, history.host.verifier)
    verify_backup(catalog, history.manifests[0].id, ledger=history.host.ledger, progress=history.host.progress)
    tried, _ = last_tried(history.host.ledger, STACK)["immutable"]
    assert _layer(history, immutable).verified == tried
    assert [item.key for item in store.list(f"{STACK}/canaries/")] != []


def test_a_lock_that_this_machine_may_lift_is_no_layer(
    history: History, immutable: Destination, store: S3Store
) -> None:
    bucket = dataclasses.replace(store._bucket, lock_mode="governance")
    weak = dataclasses.replace(immutable, store=S3Store(bucket))
    copy(history, weak)
    outcome, found = _probe(history, weak, alone=False)
    assert (outcome, found) == (Outcome.FAILED, "locked, and yet harmed by: unlock")
    layer = _layer(history, weak)
    assert (layer.verified, layer.note) == (None, "'immutable' did not withstand: unlock")


def test_a_host_that_may_delete_off_site_is_a_finding_and_a_machine_that_is_everything_is_told(
    history: History, sftp_store: SftpStore
) -> None:
    offsite = Destination("offsite", sftp_store, off_host=True)
    outcome, found = _probe(history, offsite)
    assert outcome is Outcome.FAILED
    assert "this host may delete there" in found
    assert _probe(history, offsite, alone=False)[0] is Outcome.PASSED
    assert [len(list(sftp_store.list(STACK)))] == [0]
    record = try_to_harm(offsite, sftp_store, STACK, history.host.ledger)
    assert record.body.harmed == ("delete", "overwrite", "truncate", "rename")
