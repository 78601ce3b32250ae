"""The servers that stores are tested against, one of each kind for all tests."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.store.sftp import SftpStore
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
