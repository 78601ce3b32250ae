"""A host with some history in its repository, and other repositories of every kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.copies.run import Destination
from opsctl.core.store import Store
from opsctl.core.store.directory import DirectoryStore
from tests.integration.store.conftest import (
    folder,
    numbers,
    s3_bucket,
    s3_server,
    s3_store,
    sftp_store,
    sshd,
)
from tests.support.history import History, plain_host

__all__ = ["folder", "numbers", "s3_bucket", "s3_server", "s3_store", "sftp_store", "sshd"]


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A full backup, an incremental with unchanged files, binary logs before and after, a head."""
    made = History(plain_host(tmp_path / "host"))
    made.ship(2)
    full = made.backup()
    made.ship(2)
    made.backup(parent=full, files_of=full)
    made.ship(2)
    made.head()
    return made


@pytest.fixture(params=["directory", "sftp", "s3"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "directory":
        yield DirectoryStore(tmp_path / "other")
        return
    yield request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def offsite(tmp_path: Path) -> Destination:
    """Another directory, taken for a repository elsewhere."""
    return Destination("offsite", DirectoryStore(tmp_path / "offsite"), off_host=True)
