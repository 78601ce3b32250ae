"""The SFTP store against OpenSSH: what every store must do."""

import os
from collections.abc import Iterator

import pytest

from opsctl.core.store.sftp import SftpStore
from tests.contracts.store import StoreContract
from tests.support.sshd import Sshd


class TestSftpStore(StoreContract):
    @pytest.fixture
    def store(self, sftp_store: SftpStore) -> SftpStore:
        return sftp_store


if os.geteuid() == 0:

    class TestSftpStoreInAChroot(StoreContract):
        @pytest.fixture
        def store(self, chrooted_sshd: Sshd, numbers: Iterator[int]) -> Iterator[SftpStore]:
            _, path = chrooted_sshd.folder(f"r{next(numbers)}")
            store = SftpStore(chrooted_sshd.server(), path)
            yield store
            store.close()
