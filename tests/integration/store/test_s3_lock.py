"""Object Lock, which the S3 server of the other tests lacks: moto in its place, for this alone."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from opsctl.core.store import DeniedError, ExistsError, MissingError, get, put
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from tests.contracts.store import StoreContract
from tests.support.moto_s3 import moto_s3
from tests.support.s3server import write_credentials

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

SOON = datetime.now(UTC) + timedelta(days=1)
LATER = SOON + timedelta(days=30)


@pytest.fixture
def client() -> Iterator["S3Client"]:
    with moto_s3():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
        client.create_bucket(Bucket="locking", ObjectLockEnabledForBucket=True)
        client.create_bucket(Bucket="plain")
        yield client


@pytest.fixture
def bucket(client: "S3Client", tmp_path: Path) -> S3Bucket:
    write_credentials(tmp_path / "credentials", "x", "y")
    return S3Bucket(bucket="locking", credentials_file=tmp_path / "credentials", part_bytes=5 << 20)


@pytest.fixture
def store(bucket: S3Bucket) -> S3Store:
    return S3Store(bucket)


class TestS3StoreWithVersions(StoreContract):
    @pytest.fixture
    def store(self, bucket: S3Bucket) -> S3Store:
        return S3Store(bucket)


def _locked(store: S3Store, key: str, data: bytes = b"x") -> None:
    with store.create(key, retain_until=SOON) as upload:
        upload.write(data)
        upload.commit()


@pytest.mark.parametrize("size", [1, 6 << 20], ids=["small", "large"])
@pytest.mark.parametrize("mode", ["compliance", "governance"])
def test_a_locked_object_cannot_be_deleted_or_overwritten(bucket: S3Bucket, mode: str, size: int) -> None:
    store = S3Store(dataclasses.replace(bucket, lock_mode=mode))  # type: ignore[arg-type]  # from the list above
    _locked(store, "acme/one", b"x" * size)
    assert store.locked_until("acme/one") == SOON.replace(microsecond=0)
    with pytest.raises(DeniedError):
        store.delete("acme/one")
    with pytest.raises(ExistsError):
        put(store, "acme/one", b"y")
    assert get(store, "acme/one") == b"x" * size


def test_an_object_that_is_not_locked_is_deleted_with_its_version(store: S3Store, client: "S3Client") -> None:
    put(store, "acme/one", b"x")
    assert store.locked_until("acme/one") is None
    store.delete("acme/one")
    assert store.stat("acme/one") is None
    left = client.list_object_versions(Bucket="locking")
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])


def test_what_a_hijacked_account_lays_over_an_object_changes_nothing_that_is_read(
    store: S3Store, client: "S3Client"
) -> None:
    _locked(store, "acme/one", b"original")
    before = list(store.list(""))
    client.put_object(Bucket="locking", Key="acme/one", Body=b"forged")
    client.put_object(Bucket="locking", Key="acme/one", Body=b"")
    client.delete_object(Bucket="locking", Key="acme/one")
    assert get(store, "acme/one") == b"original"
    assert store.stat("acme/one") == before[0]
    assert list(store.list("")) == before
    assert store.locked_until("acme/one") == SOON.replace(microsecond=0)
    with pytest.raises(ExistsError):
        put(store, "acme/one", b"again")
    store.extend_lock("acme/one", LATER)
    with pytest.raises(DeniedError):
        store.delete("acme/one")
    assert get(store, "acme/one") == b"original"


def test_deleting_takes_what_was_laid_over_an_object_with_it(store: S3Store, client: "S3Client") -> None:
    put(store, "acme/one", b"original")
    put(store, "acme/one-more", b"kept")
    client.put_object(Bucket="locking", Key="acme/one", Body=b"forged")
    client.delete_object(Bucket="locking", Key="acme/one")
    store.delete("acme/one")
    left = client.list_object_versions(Bucket="locking")
    assert [item["Key"] for item in left["Versions"]] == ["acme/one-more"]
    assert left.get("DeleteMarkers", []) == []
    assert [item.key for item in store.list("")] == ["acme/one-more"]


def test_a_repository_that_locks_for_days_locks_whatever_is_published(bucket: S3Bucket) -> None:
    store = S3Store(dataclasses.replace(bucket, lock_days=7))
    before = datetime.now(UTC).replace(microsecond=0)
    put(store, "acme/one", b"x")
    until = store.locked_until("acme/one")
    assert until is not None
    assert before + timedelta(days=7) <= until <= datetime.now(UTC) + timedelta(days=7)
    with pytest.raises(DeniedError):
        store.delete("acme/one")


def test_a_lock_is_extended_and_never_shortened(store: S3Store) -> None:
    _locked(store, "acme/one")
    store.extend_lock("acme/one", LATER)
    assert store.locked_until("acme/one") == LATER.replace(microsecond=0)
    store.extend_lock("acme/one", SOON)
    assert store.locked_until("acme/one") == LATER.replace(microsecond=0)


def test_an_object_that_was_not_locked_can_be(store: S3Store) -> None:
    put(store, "acme/one", b"x")
    store.extend_lock("acme/one", SOON)
    with pytest.raises(DeniedError):
        store.delete("acme/one")


def test_what_is_not_there_has_no_lock_and_gets_none(store: S3Store) -> None:
    with pytest.raises(MissingError):
        store.locked_until("nowhere")
    with pytest.raises(MissingError):
        store.extend_lock("nowhere", SOON)


def test_a_bucket_without_object_lock_refuses_a_lock(bucket: S3Bucket) -> None:
    store = S3Store(dataclasses.replace(bucket, bucket="plain"))
    with pytest.raises(DeniedError, match="cannot lock"):
        store.create("acme/one", retain_until=SOON)


def test_a_lock_that_the_service_does_not_set_is_an_error(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "acme/one", b"x")
    monkeypatch.setattr(store._client(), "put_object_retention", lambda **asked: {})
    with pytest.raises(DeniedError, match="is not locked until"):
        store.extend_lock("acme/one", SOON)
