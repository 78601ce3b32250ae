"""Moving bytes to and from an S3 service."""

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.failpoints import failpoint
from opsctl.core.store import ExistsError, LockingStore, Stored, StoreError
from opsctl.core.store.s3_connection import S3Bucket, code_of, explained

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

MAX_PARTS = 10_000
OWNER = "opsctl-upload"
_PERHAPS_OURS = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchUpload", "404"}


class S3Stream:
    """An object's bytes from an offset on, in one answer of the service. `size` is that of the whole object."""

    def __init__(self, bucket: S3Bucket, key: str, body: StreamingBody, *, size: int, tag: str) -> None:
        self._bucket = bucket
        self._key = key
        self._body = body
        self.size = size
        self.tag = tag

    @classmethod
    def open(
        cls, client: "S3Client", bucket: S3Bucket, *, key: str, name: str, offset: int, which: Mapping[str, Any]
    ) -> Self:
        """Ask for an object; `which` are further words of the request. Raises what the client raises, and StoreError
        when the service gives something else."""
        wanted = {**which, "Range": f"bytes={offset}-"} if offset else which
        answer = client.get_object(Bucket=bucket.bucket, Key=name, **wanted)
        size = answer["ContentLength"] + offset
        if offset and answer.get("ContentRange") != f"bytes {offset}-{size - 1}/{size}":
            answer["Body"].close()
            raise StoreError(f"{key}: the service cannot read from an offset", where=bucket.where)
        return cls(bucket, key, answer["Body"], size=size, tag=answer["ETag"])

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, at least in part; 0 is the end."""
        with explained(self._bucket, self._key):
            return self._body.readinto(buffer)  # type: ignore[arg-type]  # the stubs know files only

    def close(self) -> None:
        """End the answer, whatever is left of it."""
        self._body.close()


class S3Upload:
    """An object being written: in one request when it is small, else in parts, which become an object all at once.

    Every request carries the MD5 of its bytes, which the service compares. A random word in the object's metadata
    tells, when an answer was lost and the request is made again, whether the object that is there now is ours.
    """

    def __init__(
        self,
        store: LockingStore,
        client: "S3Client",
        bucket: S3Bucket,
        *,
        key: str,
        name: str,
        retain_until: datetime | None,
    ) -> None:
        self._store = store
        self._client = client
        self._bucket = bucket
        self._key = key
        self._retain_until = retain_until
        self._owner = secrets.token_hex(16)
        self._target: dict[str, Any] = {"Bucket": bucket.bucket, "Key": name}
        self._kind: dict[str, Any] = {"Metadata": {OWNER: self._owner}, "ContentType": "application/octet-stream"}
        if retain_until is not None:
            until = retain_until.replace(microsecond=0)
            self._kind |= {"ObjectLockMode": bucket.lock_mode.upper(), "ObjectLockRetainUntilDate": until}
        self._buffer = bytearray()
        self._size = 0
        self._upload: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._open = True

    def write(self, data: memoryview | bytes) -> None:
        """Append bytes; what fills a part is sent at once."""
        failpoint("store.write")
        left = memoryview(data)
        while left:
            taken = left[: self._bucket.part_bytes - len(self._buffer)]
            self._buffer += taken
            left = left[len(taken) :]
            if len(self._buffer) == self._bucket.part_bytes:
                self._send_part()

    def commit(self) -> Stored:
        """Publish, unless there is an object under this key by now."""
        with explained(self._bucket, self._key):
            if self._upload is not None and self._buffer:
                self._send_part()
            failpoint("store.before_publish")
            try:
                self._publish()
            except ClientError as error:
                if code_of(error) not in _PERHAPS_OURS or not self._is_ours():
                    raise self._taken(error) from error
            failpoint("store.after_publish")
            self._open = False
            stored = self._store.stat(self._key)
        if stored is None or stored.size != self._size:
            raise StoreError(
                f"{self._key} was published with {stored.size if stored else 0} of {self._size} bytes",
                where=self._bucket.where,
                hint="delete it, and tell who runs the service",
            )
        if self._retain_until is not None:
            self._store.extend_lock(self._key, self._retain_until)  # some services forget it for uploads in parts
        return stored

    def abort(self) -> None:
        """Forget the parts, if the service can be reached."""
        if self._open:
            self._open = False
            if self._upload is not None:
                with contextlib.suppress(OpsError), explained(self._bucket, self._key):
                    self._client.abort_multipart_upload(**self._target, UploadId=self._upload)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, UnreachableError):  # waiting for the service once more would help nobody
            self._open = False
        self.abort()

    def _send_part(self) -> None:
        if len(self._parts) == MAX_PARTS:
            limit = MAX_PARTS * self._bucket.part_bytes
            raise StoreError(f"{self._key} is larger than {limit} bytes", where=self._bucket.where)
        with explained(self._bucket, self._key):
            if self._upload is None:
                self._upload = self._client.create_multipart_upload(**self._target, **self._kind)["UploadId"]
            number, part = len(self._parts) + 1, bytes(self._buffer)
            sent = self._client.upload_part(
                **self._target, UploadId=self._upload, PartNumber=number, Body=part, ContentMD5=md5(part)
            )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        self._size += len(part)
        self._buffer.clear()

    def _publish(self) -> None:
        if self._upload is None:
            body = bytes(self._buffer)
            self._size = len(body)
            self._client.put_object(**self._target, **self._kind, Body=body, ContentMD5=md5(body), IfNoneMatch="*")
        else:
            self._client.complete_multipart_upload(
                **self._target, UploadId=self._upload, MultipartUpload={"Parts": self._parts}, IfNoneMatch="*"
            )

    def _is_ours(self) -> bool:
        """Whether an earlier attempt of this very upload has published."""
        try:
            head = self._client.head_object(**self._target)
        except ClientError:
            return False
        return head["Metadata"].get(OWNER) == self._owner

    def _taken(self, error: ClientError) -> Exception:
        if code_of(error) in _PERHAPS_OURS and self._store.stat(self._key) is not None:
            return ExistsError(f"{self._key} exists already", where=self._bucket.where)
        return error


def md5(data: bytes) -> str:
    """The header that lets the service refuse bytes that changed on their way."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
