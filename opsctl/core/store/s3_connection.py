"""The connection below an S3 store: credentials from a file, nothing from the environment, a limit on every wait."""

import configparser
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotoConnectionError
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from opsctl.core.errors import AuthError, OpsError, UnreachableError
from opsctl.core.store import DeniedError, ExistsError, MissingError, StoreError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PROFILE = "default"
# Whatever boto3 would take from the environment or a home directory: a backup must not depend on who runs it.
_NOT_FROM_OUTSIDE = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ignore_configured_endpoint_urls": (None, None, True, None),
}
_CREDENTIALS_REFUSED = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed"),
    *("RequestTimeTooSkewed", "AccountProblem", "NotSignedUp", "Unauthorized", "401"),
}
_MISSING = {"NoSuchKey", "NoSuchVersion", "NotFound", "404"}
_DENIED = {"AccessDenied", "AllAccessDisabled", "ObjectLocked", "MethodNotAllowed", "Forbidden", "403"}
_TAKEN = {"PreconditionFailed", "412"}
_BUSY = {
    *("InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "OperationAborted", "503"),
    *("500", "502", "504", "Throttling", "TooManyRequests", "429"),
}


@dataclass(frozen=True)
class S3Bucket:
    """A bucket of an S3 service, and how to use it.

    `prefix` is the folder in it that holds the repository. `endpoint`: the service's address, Amazon's if None.
    `lock_days`: for how long Object Lock keeps what is published without a time of its own; `lock_mode` is its kind.
    `part_bytes`: size of the parts of a large upload, of which there can be 10,000; one is held in memory.
    `timeout_s`: seconds that an answer may take; so many `attempts` are made.
    """

    bucket: str
    credentials_file: Path
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"
    path_style: bool = False
    lock_days: int | None = None
    lock_mode: Literal["compliance", "governance"] = "compliance"
    part_bytes: int = 16 << 20
    timeout_s: float = 30
    attempts: int = 4

    @property
    def where(self) -> str:
        """The place, for a person."""
        place = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        return f"{place} at {self.endpoint}" if self.endpoint else place


def connect(bucket: S3Bucket) -> "S3Client":
    """Make a client; nothing is sent yet. Raises AuthError when there are no credentials in their file."""
    key_id, secret, token = read_credentials(bucket.credentials_file)
    session = botocore.session.Session(session_vars=_NOT_FROM_OUTSIDE)
    session.set_credentials(key_id, secret.get_secret_value(), token.get_secret_value() if token else None)
    return boto3.session.Session(botocore_session=session).client(
        "s3",
        region_name=bucket.region,
        endpoint_url=bucket.endpoint,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if bucket.path_style else "virtual"},
            connect_timeout=bucket.timeout_s,
            read_timeout=bucket.timeout_s,
            retries={"mode": "standard", "total_max_attempts": bucket.attempts},
            # Other services than Amazon's know no other checksum than MD5, which every upload of ours carries.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            tcp_keepalive=True,
        ),
    )


def read_credentials(file: Path) -> tuple[str, SecretStr, SecretStr | None]:
    """Read key id, secret and session token from a file as AWS' tools write it. Raises AuthError, never with a word
    of its content."""
    hint = f"it has to hold aws_access_key_id and aws_secret_access_key under [{PROFILE}]"
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        section = parser[PROFILE]
        key_id, secret = section["aws_access_key_id"], section["aws_secret_access_key"]
    except OSError as error:
        raise AuthError(f"the credentials cannot be read: {error.strerror}", where=str(file), hint=hint) from None
    except (configparser.Error, KeyError, UnicodeDecodeError):
        raise AuthError("the file with the credentials is not understood", where=str(file), hint=hint) from None
    token = section.get("aws_session_token")
    return key_id, SecretStr(secret), SecretStr(token) if token else None


@contextlib.contextmanager
def explained(bucket: S3Bucket, key: str) -> Iterator[None]:
    """Say what the service refused, or why it could not be asked, in terms of a key."""
    try:
        yield
    except ClientError as error:
        raise _refusal(error, bucket, key) from error
    except (BotoConnectionError, HTTPClientError, IncompleteReadError, HTTPError, OSError) as error:
        raise UnreachableError(
            f"the S3 service cannot be reached: {_printable(error)}",
            where=bucket.where,
            hint="look at the endpoint, the network and the service",
        ) from error
    except BotoCoreError as error:
        raise StoreError(f"{key}: {_printable(error)}", where=bucket.where) from error


def code_of(error: ClientError) -> str:
    """The service's code for what went wrong; without one (HEAD has no body), the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refusal(error: ClientError, bucket: S3Bucket, key: str) -> OpsError:
    code, where = code_of(error), bucket.where
    if code in _CREDENTIALS_REFUSED:
        hint = f"look at {bucket.credentials_file}, the region ({bucket.region}) and this machine's clock"
        return AuthError(f"the S3 service does not accept the credentials ({code})", where=where, hint=hint)
    if code == "NoSuchBucket":
        return StoreError(f"there is no bucket '{bucket.bucket}'", where=where, hint="make it, or correct its name")
    for codes, kind, what in (
        (_MISSING, MissingError, "is not there"),
        (_DENIED, DeniedError, f"may not be touched with these credentials ({code})"),
        (_TAKEN, ExistsError, "exists already"),
    ):
        if code in codes:
            return kind(f"{key} {what}", where=where, hint="run: opsctl doctor")
    message = _printable(error.response.get("Error", {}).get("Message", ""))
    if code in _BUSY:
        return UnreachableError(f"the S3 service is busy ({code}): {message}", where=where, hint="try again later")
    return StoreError(f"{key}: the service says '{code}: {message}'", where=where, hint="run: opsctl doctor")


def _printable(said: object) -> str:
    return "".join(filter(str.isprintable, str(said)))[:500]
