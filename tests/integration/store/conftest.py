"""The servers that stores are tested against, one of each kind for all tests."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from opsctl.core.store.sftp import SftpStore
from tests.support.s3server import S3Server, running_s3
from tests.support.sshd import Sshd, running_sshd


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """An sshd that runs unprivileged."""
    with _sshd("/tmp", chrooted=False) as server:
        yield server


@pytest.fixture(scope="session")
def chrooted_sshd() -> Iterator[Sshd]:
    """An sshd that locks its account into a directory, for which the tests have to run as root."""
    with _sshd("/run", chrooted=True) as server:
        yield server


@contextlib.contextmanager
def _sshd(where: str, *, chrooted: bool) -> Iterator[Sshd]:
    with tempfile.TemporaryDirectory(prefix="o-", dir=where) as directory:
        Path(directory).chmod(0o755)
        with running_sshd(Path(directory) / "sshd", chrooted=chrooted) as server:
            yield server


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def folder(sshd: Sshd, numbers: Iterator[int]) -> tuple[Path, str]:
    """An empty folder on the server, as this machine and as the account sees it."""
    return sshd.folder(f"r{next(numbers)}")


@pytest.fixture
def sftp_store(sshd: Sshd, folder: tuple[Path, str]) -> Iterator[SftpStore]:
    """An empty store on the server."""
    store = SftpStore(sshd.server(), folder[1], waits_s=(0, 0, 0))
    yield store
    store.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory, running_s3(Path(directory)) as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server, numbers: Iterator[int]) -> S3Bucket:
    """An empty bucket."""
    return s3_server.bucket(f"bucket-{next(numbers)}")


@pytest.fixture
def s3_store(s3_bucket: S3Bucket) -> Iterator[S3Store]:
    """An empty store in a bucket of its own."""
    store = S3Store(s3_bucket, waits_s=(0, 0, 0))
    yield store
    store.close()
