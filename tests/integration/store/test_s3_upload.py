"""Uploads to S3: in parts, over a network that fails, killed half-way; nothing is overwritten or half published."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from opsctl.core.errors import UnreachableError
from opsctl.core.store import ExistsError, StoreError, get, put
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from opsctl.core.store.s3_transfer import S3Upload
from tests.support.relay import Relay, relay_to
from tests.support.s3server import S3Server

PART = 5 << 20
DATA = bytes(range(251)) * 50_000  # 12.5 MB: three parts
NOW = datetime.now(UTC)

UPLOAD = """
import sys
from pathlib import Path
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from opsctl.core.store.s3_transfer import S3Upload
name, endpoint, credentials = sys.argv[1:]
credentials = Path(credentials)
bucket = S3Bucket(bucket=name, endpoint=endpoint, credentials_file=credentials, path_style=True, part_bytes=5 << 20)
with S3Store(bucket).create("acme/one") as upload:
    for _ in range(3):
        upload.write(b"x" * (4 << 20))
    upload.commit()
"""


@pytest.fixture
def relay(s3_server: S3Server) -> Iterator[Relay]:
    """A network between the store and the server."""
    with relay_to(s3_server.port) as relay:
        yield relay


@pytest.fixture
def store(s3_bucket: S3Bucket, relay: Relay) -> Iterator[S3Store]:
    """A store that uploads in small parts, over the relay."""
    endpoint = f"http://127.0.0.1:{relay.port}"
    store = S3Store(dataclasses.replace(s3_bucket, endpoint=endpoint, part_bytes=PART), waits_s=(0, 0))
    yield store
    store.close()


def _uploads(server: S3Server, bucket: S3Bucket) -> int:
    return len(server.client.list_multipart_uploads(Bucket=bucket.bucket).get("Uploads", ()))


def test_a_large_object_goes_in_parts_and_is_one_object(
    store: S3Store, s3_server: S3Server, s3_bucket: S3Bucket
) -> None:
    put(store, "acme/one", DATA)
    assert s3_server.client.head_object(Bucket=s3_bucket.bucket, Key="acme/one")["ETag"].endswith('-3"')
    assert [(item.key, item.size) for item in store.list("")] == [("acme/one", len(DATA))]
    assert get(store, "acme/one") == DATA
    assert _uploads(s3_server, s3_bucket) == 0


def test_an_object_of_whole_parts_has_no_empty_one(store: S3Store) -> None:
    put(store, "acme/one", DATA[: 2 * PART])
    assert get(store, "acme/one") == DATA[: 2 * PART]


def test_of_two_large_uploads_of_one_key_the_first_commit_wins(
    store: S3Store, s3_server: S3Server, s3_bucket: S3Bucket
) -> None:
    with store.create("race") as one, store.create("race") as two:
        one.write(b"1" * (PART + 1))
        two.write(b"2" * (PART + 1))
        one.commit()
        with pytest.raises(ExistsError):
            two.commit()
    assert get(store, "race") == b"1" * (PART + 1)
    assert _uploads(s3_server, s3_bucket) == 0


def test_a_small_object_is_not_overwritten_by_a_large_one_nor_the_other_way_round(store: S3Store) -> None:
    with store.create("one") as large, store.create("two") as small:
        large.write(b"l" * (PART + 1))
        small.write(b"s")
        put(store, "one", b"first")
        put(store, "two", DATA)
        for late in (large, small):
            with pytest.raises(ExistsError):
                late.commit()
    assert get(store, "one") == b"first"
    assert get(store, "two") == DATA


def test_an_aborted_upload_leaves_no_parts_that_cost(store: S3Store, s3_server: S3Server, s3_bucket: S3Bucket) -> None:
    with store.create("acme/one") as upload:
        upload.write(DATA)
        assert _uploads(s3_server, s3_bucket) == 1
        assert list(store.list("")) == []
    assert _uploads(s3_server, s3_bucket) == 0


@pytest.mark.parametrize("size", [1000, len(DATA)], ids=["small", "large"])
def test_an_answer_that_is_lost_after_publishing_makes_no_stranger_of_our_own_object(
    store: S3Store, relay: Relay, size: int
) -> None:
    with store.create("acme/one") as upload:
        upload.write(DATA[:size])
        relay.cut("answers", after=len(b"HTTP/1.1 100 Continue\r\n\r\n") if size < PART else 0)
        assert upload.commit().size == size
    assert not relay.armed
    assert get(store, "acme/one") == DATA[:size]


def test_a_part_whose_connection_is_lost_is_sent_again(store: S3Store, relay: Relay) -> None:
    with store.create("acme/one") as upload:
        upload.write(DATA[:PART])
        relay.cut("questions", after=3_000_000)
        upload.write(DATA[PART:])
        upload.commit()
    assert not relay.armed
    assert get(store, "acme/one") == DATA


@pytest.mark.parametrize("size", [1_000_000, len(DATA)], ids=["small", "large"])
def test_a_byte_that_changes_on_its_way_is_refused_by_the_service(store: S3Store, relay: Relay, size: int) -> None:
    with store.create("acme/one") as upload:
        relay.flip("questions", after=500_000)
        with pytest.raises(StoreError, match="the service says"):
            _write_and_commit(upload, DATA[:size])
    assert not relay.armed
    assert store.stat("acme/one") is None


def _write_and_commit(upload: S3Upload, data: bytes) -> None:
    upload.write(data)
    upload.commit()


def test_a_service_that_is_gone_during_an_upload_publishes_nothing(s3_server: S3Server, s3_bucket: S3Bucket) -> None:
    with relay_to(s3_server.port) as relay:
        endpoint = f"http://127.0.0.1:{relay.port}"
        store = S3Store(dataclasses.replace(s3_bucket, endpoint=endpoint, part_bytes=PART, attempts=1))
        upload = store.create("acme/one")
        upload.write(DATA)
        relay.stop()
        with pytest.raises(UnreachableError), upload:
            upload.commit()
        store.close()
    direct = S3Store(s3_bucket)
    assert list(direct.list("")) == []
    assert direct.remove_partials("other/", older_than=NOW + timedelta(hours=1)) == 0
    assert direct.remove_partials("acme/", older_than=NOW - timedelta(hours=1)) == 0
    assert direct.remove_partials("acme/", older_than=NOW + timedelta(hours=1)) == 1
    assert _uploads(s3_server, s3_bucket) == 0
    direct.close()


@pytest.mark.parametrize(
    ("failpoint", "published"),
    [("store.write@3", False), ("store.before_publish", False), ("store.after_publish", True)],
)
def test_a_killed_upload_is_there_whole_or_not_at_all(
    s3_bucket: S3Bucket, s3_store: S3Store, failpoint: str, published: bool
) -> None:
    words = [s3_bucket.bucket, str(s3_bucket.endpoint), str(s3_bucket.credentials_file)]
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, *words], env={**os.environ, "OPSCTL_FAILPOINT": failpoint}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert [(item.key, item.size) for item in s3_store.list("")] == ([("acme/one", 12 << 20)] if published else [])
    assert s3_store.remove_partials("", older_than=NOW + timedelta(hours=1)) == (0 if published else 1)


def test_an_upload_of_too_many_parts_says_how_large_an_object_can_be(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsctl.core.store.s3_transfer.MAX_PARTS", 2)
    with store.create("acme/one") as upload, pytest.raises(StoreError, match=f"larger than {2 * PART} bytes"):
        upload.write(DATA + DATA)
