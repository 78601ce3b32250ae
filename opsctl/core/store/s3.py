"""A store that is a bucket of an S3 service, Amazon's or another's."""

import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from opsctl.core.clock import utcnow
from opsctl.core.store import DeniedError, ExistsError, MissingError, Stored, StoreError, check_key, is_key
from opsctl.core.store.resilient import WAITS_S, Patience, ResumingReader
from opsctl.core.store.s3_connection import S3Bucket, code_of, connect, explained
from opsctl.core.store.s3_transfer import S3Stream, S3Upload, md5
from opsctl.core.store.s3_versions import first_version, first_versions, keeps_versions, markers, versions
from opsctl.core.store.tamper import Attack

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef, ObjectVersionTypeDef

READ_BUFFER = 1 << 18
_NO_LOCKS = {"ObjectLockConfigurationNotFoundError", "NotImplemented"}


class S3Store:
    """Objects are objects of a bucket, which has to be there, below a prefix.

    Nothing is overwritten: every upload says `If-None-Match: *`, so the service has to know that. In a bucket that
    keeps versions an object is its first one, whatever lies over it, and deleting it deletes them all.
    `waits_s`: the seconds between attempts to go on reading after a lost connection.
    """

    def __init__(self, bucket: S3Bucket, *, waits_s: Sequence[float] = WAITS_S) -> None:
        self._bucket = bucket
        self._prefix = f"{bucket.prefix}/" if bucket.prefix else ""
        self._waits_s = waits_s
        self._connected: S3Client | None = None
        self._locks: bool | None = None
        self._versions: bool | None = None
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """The bucket, the prefix and the service."""
        return self._bucket.where

    def create(self, key: str, *, retain_until: datetime | None = None) -> S3Upload:
        """Begin an object, locked until a time, or for the days that the bucket's settings name."""
        name = self._name(key)
        if retain_until is None and self._bucket.lock_days is not None:
            retain_until = utcnow() + timedelta(days=self._bucket.lock_days)
        if retain_until is not None and not self._can_lock():
            raise DeniedError(
                "the bucket cannot lock objects", where=self.where, hint="make a bucket with Object Lock enabled"
            )
        if self.stat(key) is not None:
            raise ExistsError(f"{key} exists already", where=self.where)
        return S3Upload(self, self._client(), self._bucket, key=key, name=name, retain_until=retain_until)

    def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
        """Read from a byte offset; the reader goes on by itself after a lost connection."""
        version = self._version(key)
        first = self._stream(key, offset, version)
        if first is None:
            return io.BytesIO()
        size, same = first.size, {**version, "IfMatch": first.tag}

        def open_at(position: int) -> S3Stream:
            stream = self._stream(key, position, same)
            if stream is None:
                raise StoreError(f"{key} has become shorter", where=self.where, hint="run: opsctl backup verify")
            return stream

        patience = Patience(self._waits_s)
        reader = ResumingReader(
            open_at, offset=offset, size=size, name=key, where=self.where, patience=patience, first=first
        )
        return io.BufferedReader(reader, buffer_size=READ_BUFFER)

    def stat(self, key: str) -> Stored | None:
        """Ask for the object's head, or its first version."""
        name = self._name(key)
        try:
            with explained(self._bucket, key):
                if self._keeps_versions():
                    first = first_version(self._client(), self._bucket.bucket, name)
                    return None if first is None else Stored(key, first["Size"], _second(first["LastModified"]))
                head = self._client().head_object(Bucket=self._bucket.bucket, Key=name)
        except MissingError:
            return None
        return Stored(key, head["ContentLength"], _second(head["LastModified"]))

    def list(self, prefix: str, *, ending: str = "") -> Iterator[Stored]:
        """List page by page, a thousand objects each."""
        with explained(self._bucket, prefix):
            for item in self._listed(self._prefix + prefix):
                key = item["Key"].removeprefix(self._prefix)
                if key.endswith(ending) and is_key(key):
                    yield Stored(key, item["Size"], _second(item["LastModified"]))

    def delete(self, key: str) -> None:
        """Remove the object: all its versions, the first one first, which a lock refuses."""
        bucket, name = self._bucket.bucket, self._name(key)
        with explained(self._bucket, key):
            client = self._client()
            if not self._keeps_versions():
                client.head_object(Bucket=bucket, Key=name)
                client.delete_object(Bucket=bucket, Key=name)
                return
            found = [item["VersionId"] for item in versions(client, bucket, name)][::-1]
            if not found:
                raise MissingError(f"{key} is not there", where=self.where)
            for version in (*found, *markers(client, bucket, name)):
                client.delete_object(Bucket=bucket, Key=name, VersionId=version)

    def remove_partials(self, prefix: str, *, older_than: datetime) -> int:
        """Abort multipart uploads, which cost as much as what is published."""
        removed = 0
        with explained(self._bucket, prefix):
            pages = self._client().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket.bucket, Prefix=self._prefix + prefix):
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < older_than:
                        self._client().abort_multipart_upload(
                            Bucket=self._bucket.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        removed += 1
        return removed

    def locked_until(self, key: str) -> datetime | None:
        """Ask for the object's head, which names its lock to those who have the right s3:GetObjectRetention."""
        name, version = self._name(key), self._version(key)
        with explained(self._bucket, key):
            head: Mapping[str, Any] = self._client().head_object(Bucket=self._bucket.bucket, Key=name, **version)
        until = head.get("ObjectLockRetainUntilDate")
        return until.astimezone(UTC) if until is not None and until > datetime.now(UTC) else None

    def extend_lock(self, key: str, until: datetime) -> None:
        """Set the object's retention, which never gets shorter, and see that it is set."""
        wanted = _second(until)
        if self._is_locked(key, wanted):
            return
        with explained(self._bucket, key):
            self._client().put_object_retention(
                Bucket=self._bucket.bucket,
                Key=self._name(key),
                Retention={
                    "Mode": "COMPLIANCE" if self._bucket.lock_mode == "compliance" else "GOVERNANCE",
                    "RetainUntilDate": wanted,
                },
                **self._version(key),
            )
        if not self._is_locked(key, wanted):
            hint = "the service does not lock, or the account lacks the right s3:GetObjectRetention"
            raise DeniedError(f"{key} is not locked until {wanted.isoformat()}", where=self.where, hint=hint)

    def attacks(self, key: str) -> Mapping[str, Attack]:
        """What the service offers: delete the object or lay a marker over it, lift its lock, put another in its place;
        S3 knows no renaming."""
        bucket, name = self._bucket.bucket, self._name(key)

        def carry_out(harm: Callable[[], object]) -> Attack:
            def attack() -> None:
                with explained(self._bucket, key):
                    harm()

            return attack

        def delete(**how: Any) -> object:
            return self._client().delete_object(Bucket=bucket, Key=name, **how)

        def put(body: bytes) -> object:
            return self._client().put_object(Bucket=bucket, Key=name, Body=body, ContentMD5=md5(body))

        return {
            "delete": carry_out(lambda: delete(**self._version(key))),
            "hide": carry_out(delete),
            "unlock": carry_out(lambda: delete(**self._version(key), BypassGovernanceRetention=True)),
            "overwrite": carry_out(lambda: put(b"forged")),
            "truncate": carry_out(lambda: put(b"")),
        }

    def close(self) -> None:
        """End the connections. The store may still be used and connects again."""
        with self._lock:
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    def _client(self) -> "S3Client":
        with self._lock:
            if self._connected is None:
                self._connected = connect(self._bucket)
            return self._connected

    def _is_locked(self, key: str, until: datetime) -> bool:
        locked = self.locked_until(key)
        return locked is not None and locked >= until

    def _can_lock(self) -> bool:
        if self._locks is None:
            with explained(self._bucket, "the bucket"):
                try:
                    found = self._client().get_object_lock_configuration(Bucket=self._bucket.bucket)
                    self._locks = found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
                except ClientError as error:
                    if code_of(error) not in _NO_LOCKS:
                        raise
                    self._locks = False
        return self._locks

    def _keeps_versions(self) -> bool:
        if self._versions is None:
            self._versions = keeps_versions(self._client(), self._bucket.bucket)
        return self._versions

    def _version(self, key: str) -> dict[str, Any]:
        """What names the first version of an object in a request; nothing in a bucket without versions."""
        name = self._name(key)
        with explained(self._bucket, key):
            if not self._keeps_versions():
                return {}
            first = first_version(self._client(), self._bucket.bucket, name)
        if first is None:
            raise MissingError(f"{key} is not there", where=self.where, hint="run: opsctl backup verify")
        return {"VersionId": first["VersionId"]}

    def _listed(self, prefix: str) -> "Iterator[ObjectTypeDef | ObjectVersionTypeDef]":
        if self._keeps_versions():
            yield from first_versions(self._client(), self._bucket.bucket, prefix)
            return
        pages = self._client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket.bucket, Prefix=prefix):
            yield from page.get("Contents", ())

    def _stream(self, key: str, offset: int, which: Mapping[str, Any]) -> S3Stream | None:
        """The object from an offset on, None when that is its end or beyond. `which`: its version, or its tag."""
        name = self._name(key)
        with explained(self._bucket, key):
            try:
                return S3Stream.open(self._client(), self._bucket, key=key, name=name, offset=offset, which=which)
            except ClientError as error:
                if code_of(error) in {"InvalidRange", "416"}:
                    return None
                if code_of(error) in {"PreconditionFailed", "412"}:
                    hint = "run: opsctl backup verify"
                    raise StoreError(f"{key} changed while it was read", where=self.where, hint=hint) from error
                raise

    def _name(self, key: str) -> str:
        check_key(key, self.where)
        return self._prefix + key


def _second(moment: datetime) -> datetime:
    """Listings may give fractions of a second that heads do not have."""
    return moment.astimezone(UTC).replace(microsecond=0)
