"""A real S3 server for tests: OpenStack Swift's, as a child of the tests, on a port of its own."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from opsctl.core.store.s3_connection import S3Bucket

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

USER, SECRET = "test:tester", "testing-the-secret-of-the-owner"
STRANGER, STRANGERS_SECRET = "test:stranger", "testing-the-secret-of-a-stranger"
_USERS = {"user_test_tester": f"{SECRET} .admin", "user_test_stranger": STRANGERS_SECRET}


@dataclass
class S3Server:
    """A running server. Buckets are made by `bucket`; `directory` holds its data, configuration and our credentials."""

    directory: Path
    port: int

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, name: str) -> S3Bucket:
        """Make an empty bucket; return what a client needs to know to use it."""
        self.client.create_bucket(Bucket=name)
        return S3Bucket(
            bucket=name,
            endpoint=self.endpoint,
            path_style=True,
            credentials_file=self.credentials(USER, SECRET),
            timeout_s=20,
        )

    @cached_property
    def client(self) -> "S3Client":
        """A client of the owner, for what a store does not do."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=USER,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )

    def credentials(self, user: str, secret: str) -> Path:
        """A file with credentials."""
        file = self.directory / f"{user.replace(':', '-')}.credentials"
        write_credentials(file, user, secret)
        return file


def write_credentials(file: Path, user: str, secret: str) -> None:
    """Write a file as AWS' own tools do."""
    file.write_text(f"[default]\naws_access_key_id = {user}\naws_secret_access_key = {secret}\n")
    file.chmod(0o600)


@contextlib.contextmanager
def running_s3(directory: Path, address: str = "127.0.0.1") -> Iterator[S3Server]:
    """Run a server for the length of a block, which listens at an address."""
    program = Path(__file__).with_name("swift_server.py")
    with (directory / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(program), str(directory), json.dumps(_USERS), address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=directory,
        )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        port = child.stdout.readline()  # nothing, if it ended without serving
        if not port:
            raise AssertionError((directory / "log").read_text())
        server = S3Server(directory, int(port))
        yield server
        server.client.close()
    finally:
        child.terminate()
        child.stdin.close()
        child.stdout.close()
        child.wait()
