"""moto's S3, for what Swift's does not have, such as Object Lock."""

import contextlib
import io
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

from moto import mock_aws
from moto.s3.models import FakeKey


@contextlib.contextmanager
def moto_s3() -> Iterator[None]:
    """boto3's clients talk to it while the block runs.

    It copies all versions of all objects to list them, to temporary files of which nobody knows when they go: gigabytes
    in one test. Here the copies have no body, which no list shows.
    """
    with mock_aws(), mock.patch.object(FakeKey, "__deepcopy__", _without_body, create=True):
        yield


def _without_body(key: FakeKey, memo: dict[int, Any]) -> FakeKey:
    assert key.etag, "it is reckoned from the body when it is first asked for"
    twin = object.__new__(FakeKey)
    own = {"_value_buffer": io.BytesIO(), "lock": threading.Lock(), "disposed": True}
    twin.__dict__.update({**key.__dict__, **own, "multipart": None})
    return twin
