"""Trying to harm what is published: what withstands is told from what only looks as if it did."""

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from opsctl.core.errors import UnreachableError
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from opsctl.core.store.sftp import SftpStore
from opsctl.core.store.tamper import Attack, AttackableStore, tamper
from tests.support.moto_s3 import moto_s3
from tests.support.s3server import write_credentials
from tests.support.sshd import Sshd, running_sshd

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def _harmed(store: AttackableStore, retain_until: datetime | None = None) -> list[str]:
    """The attacks that a store did not withstand."""
    attempts = tamper(store, "acme/canaries/1/", retain_until=retain_until)
    assert all(attempt.withstood for attempt in attempts if attempt.said is not None)
    return [attempt.name for attempt in attempts if not attempt.withstood]


@pytest.fixture
def locking(tmp_path: Path) -> Iterator[S3Bucket]:
    with moto_s3():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
        client.create_bucket(Bucket="locking", ObjectLockEnabledForBucket=True)
        write_credentials(tmp_path / "credentials", "x", "y")
        yield S3Bucket(bucket="locking", credentials_file=tmp_path / "credentials")


def test_an_ordinary_sftp_account_can_do_everything(sftp_store: SftpStore, folder: tuple[Path, str]) -> None:
    assert _harmed(sftp_store) == ["delete", "overwrite", "truncate", "rename"]


def test_an_sftp_account_that_may_not_delete_can_still_write_over_its_own_files() -> None:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        with running_sshd(Path(directory) / "sshd", sftp_options="-P remove,rename,posix-rename") as sshd:
            store = SftpStore(sshd.server(), sshd.folder("r")[1])
            assert _harmed(store) == ["overwrite", "truncate"]
            store.close()


def test_a_bucket_without_versions_withstands_nothing(s3_store: S3Store) -> None:
    assert _harmed(s3_store) == ["delete", "hide", "unlock", "overwrite", "truncate"]
    assert list(s3_store.list("")) == []


def test_a_bucket_with_versions_and_no_lock_withstands_only_what_lies_over(locking: S3Bucket) -> None:
    assert _harmed(S3Store(locking)) == ["delete", "unlock"]


def test_a_bucket_that_locks_for_all_withstands_everything(locking: S3Bucket) -> None:
    store = S3Store(locking)
    assert _harmed(store, TOMORROW) == []
    assert len(list(store.list("acme/canaries/1/"))) == 5


def test_a_lock_that_this_account_may_lift_is_none(locking: S3Bucket) -> None:
    assert _harmed(S3Store(dataclasses.replace(locking, lock_mode="governance")), TOMORROW) == ["unlock"]


class Freezes(SftpStore):
    """Its server hangs as soon as it is attacked."""

    def __init__(self, sshd: Sshd, path: str) -> None:
        super().__init__(sshd.server(timeout_s=1), path)
        self._sshd = sshd

    def attacks(self, key: str) -> Mapping[str, Attack]:
        return {"delete": self._sshd.freeze}


def test_a_store_that_cannot_be_asked_has_withstood_nothing(sshd: Sshd, folder: tuple[Path, str]) -> None:
    store = Freezes(sshd, folder[1])
    with pytest.raises(UnreachableError):
        tamper(store, "acme/canaries/1/", retain_until=None)
    sshd.drop_connections()
    store.close()
