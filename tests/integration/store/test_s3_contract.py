"""The S3 store against OpenStack Swift: what every store must do, in one request and in parts."""

import dataclasses
from collections.abc import Iterator

import pytest

from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from tests.contracts.store import StoreContract


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, s3_store: S3Store) -> S3Store:
        return s3_store


class TestS3StoreBelowAPrefixInSmallParts(StoreContract):
    @pytest.fixture
    def store(self, s3_bucket: S3Bucket) -> Iterator[S3Store]:
        store = S3Store(dataclasses.replace(s3_bucket, prefix="a folder/of ours", part_bytes=5 << 20))
        yield store
        store.close()
