"""The directory store: the contract, and what is special about a directory."""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsctl.core.store import DeniedError, StoreError, put
from opsctl.core.store.directory import DirectoryStore
from tests.contracts.store import StoreContract


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "repository")


class TestDirectoryStore(StoreContract):
    pass


def test_a_lock_that_a_directory_cannot_give_is_refused(store: DirectoryStore) -> None:
    with pytest.raises(DeniedError):
        store.create("locked", retain_until=datetime(2030, 1, 1, tzinfo=UTC))


def test_a_killed_upload_is_invisible_and_is_removed_later(store: DirectoryStore) -> None:
    upload = store.create("acme/backups/x/db")
    upload.write(b"half")
    os.close(upload._file)  # as the kernel does when a process is killed
    upload._ended.set()
    assert list(store.list("")) == []
    assert store.remove_partials("acme", older_than=datetime.now(UTC) - timedelta(hours=1)) == 0
    assert store.remove_partials("acme", older_than=datetime.now(UTC) + timedelta(seconds=5)) == 1
    assert [path for path in store.directory.rglob("*") if path.is_file()] == []


def test_deleting_the_last_object_removes_its_empty_folders(store: DirectoryStore) -> None:
    put(store, "acme/backups/x/db", b"1")
    put(store, "acme/readme", b"1")
    store.delete("acme/backups/x/db")
    assert sorted(path.name for path in store.directory.rglob("*")) == ["acme", "readme"]


def test_published_files_cannot_be_written_by_accident(store: DirectoryStore) -> None:
    put(store, "acme/x", b"1")
    assert (store.directory / "acme/x").stat().st_mode & 0o777 == 0o440


def test_a_write_that_hangs_is_not_led_into_another_file(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = store.create("hung")
    began, go_on = threading.Event(), threading.Event()
    real = os.write

    def hang(descriptor: int, data: memoryview) -> int:
        began.set()
        assert go_on.wait(20)
        return real(descriptor, data[:1])

    monkeypatch.setattr(os, "write", hang)
    problems: list[StoreError] = []

    def write() -> None:
        try:
            upload.write(b"too late")
        except StoreError as error:
            problems.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    assert began.wait(20)
    upload.abort()
    with (store.directory / "innocent").open("wb") as other:
        go_on.set()
        writer.join()
        assert other.tell() == os.fstat(other.fileno()).st_size == 0
    assert [str(error) for error in problems] == [f"hung was given up ({store.where})"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(upload._file)
