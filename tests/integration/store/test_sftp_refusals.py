"""What an SFTP server may refuse, and what a store makes of it: an error, and nothing that looks whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsctl.core.store import DeniedError, StoreError, get, put
from opsctl.core.store.directory import DirectoryStore
from opsctl.core.store.sftp import SftpStore
from tests.support.sshd import running_sshd


@contextmanager
def _served(options: str = "", wrapper: tuple[str, ...] = ()) -> Iterator[tuple[SftpStore, Path]]:
    """A store of a server of its own, and its folder on this machine."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        with running_sshd(Path(directory) / "sshd", sftp_options=options, wrapper=wrapper) as sshd:
            here, there = sshd.folder("r")
            store = SftpStore(sshd.server(), there, waits_s=(0, 0))
            yield store, here
            store.close()


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_disk_that_fills_up_during_an_upload_fails_it() -> None:
    limited = ("env", "--ignore-signal=XFSZ", "prlimit", f"--fsize={3 << 20}")
    with _served(wrapper=limited) as (store, here):
        with pytest.raises(StoreError, match="the server says 'Failure'"):
            put(store, "acme/big", b"x" * (8 << 20))
        assert store.stat("acme/big") is None
        assert _files(here) == []
        put(store, "acme/small", b"x")  # the connection is as good as before


def test_a_disk_that_fills_up_with_the_last_byte_fails_the_commit() -> None:
    limited = ("env", "--ignore-signal=XFSZ", "prlimit", f"--fsize={100_000}")
    with _served(wrapper=limited) as (store, here), store.create("acme/big") as upload:
        upload.write(b"x" * 100_001)  # still under way, nobody has answered yet
        with pytest.raises(StoreError, match="the server says 'Failure'"):
            upload.commit()
        assert store.stat("acme/big") is None
        upload.abort()
        assert _files(here) == []


def test_an_account_that_may_not_delete_is_told_so_and_can_still_publish() -> None:
    with _served("-P remove") as (store, _):
        put(store, "acme/one", b"1")
        with pytest.raises(DeniedError):
            store.delete("acme/one")
        assert get(store, "acme/one") == b"1"
        assert [item.key for item in store.list("")] == ["acme/one"]


def test_a_read_only_account_reads_and_cannot_publish() -> None:
    with _served("-R") as (store, here):
        put(DirectoryStore(here), "acme/one", b"1")
        for file in here.rglob("*"):
            file.chmod(0o755)
        assert get(store, "acme/one") == b"1"
        with pytest.raises(DeniedError):
            put(store, "acme/two", b"2")


def test_a_server_that_could_overwrite_by_publishing_is_refused() -> None:
    with _served("-P hardlink") as (store, here):
        with pytest.raises(StoreError, match="does not offer hardlink"):
            put(store, "acme/one", b"1")
        assert _files(here) == []


def test_a_server_without_fsync_is_good_enough() -> None:
    with _served("-P fsync") as (store, _):
        put(store, "acme/one", b"1")
        assert get(store, "acme/one") == b"1"


def test_a_directory_that_is_not_there_is_no_empty_repository(sftp_store: SftpStore, folder: tuple[Path, str]) -> None:
    folder[0].rmdir()  # as when the server's disk is not mounted
    with pytest.raises(StoreError, match="directory is not there"):
        list(sftp_store.list(""))
    with pytest.raises(StoreError, match="directory is not there"):
        put(sftp_store, "acme/one", b"1")
    folder[0].mkdir()


def test_a_file_that_the_account_may_not_read_is_denied(sftp_store: SftpStore, folder: tuple[Path, str]) -> None:
    put(sftp_store, "acme/one", b"1")
    (folder[0] / "acme/one").chmod(0o200)
    with pytest.raises(DeniedError, match="acme/one"):
        get(sftp_store, "acme/one")


def test_links_are_no_objects(sftp_store: SftpStore, folder: tuple[Path, str]) -> None:
    (folder[0] / "passwd").symlink_to("/etc/passwd")
    (folder[0] / "all").symlink_to("/")
    assert list(sftp_store.list("")) == []
    assert sftp_store.stat("passwd") is None


def test_what_a_killed_upload_left_is_invisible_and_removed_later(
    sftp_store: SftpStore, folder: tuple[Path, str]
) -> None:
    upload = sftp_store.create("acme/b/x")
    upload.write(b"x" * 100_000)
    upload._channel.close()  # as the kernel does when a process is killed
    upload._open = False
    assert list(sftp_store.list("")) == []
    now = datetime.now(UTC)
    assert sftp_store.remove_partials("acme/", older_than=now - timedelta(hours=1)) == 0
    assert sftp_store.remove_partials("other/", older_than=now + timedelta(hours=1)) == 0
    assert sftp_store.remove_partials("acme/", older_than=now + timedelta(hours=1)) == 1
    assert _files(folder[0]) == []


def test_deleting_the_last_object_removes_its_empty_folders(sftp_store: SftpStore, folder: tuple[Path, str]) -> None:
    put(sftp_store, "acme/backups/x/db", b"1")
    put(sftp_store, "acme/readme", b"1")
    sftp_store.delete("acme/backups/x/db")
    assert sorted(path.name for path in folder[0].rglob("*")) == ["acme", "readme"]


def test_a_lock_that_sftp_cannot_give_is_refused(sftp_store: SftpStore) -> None:
    with pytest.raises(DeniedError):
        sftp_store.create("locked", retain_until=datetime(2030, 1, 1, tzinfo=UTC))


def test_published_files_belong_to_the_account_alone(sftp_store: SftpStore, folder: tuple[Path, str]) -> None:
    put(sftp_store, "acme/one", b"1")
    assert (folder[0] / "acme/one").stat().st_mode & 0o007 == 0
    assert os.stat(folder[0] / "acme").st_mode & 0o007 == 0
