"""An SFTP store whose connection is lost: transfers go on, and what cannot go on leaves nothing that looks whole."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.core.errors import UnreachableError
from opsctl.core.store import StoreError, get, put
from opsctl.core.store.directory import DirectoryStore
from opsctl.core.store.sftp import SftpStore
from opsctl.core.store.sftp_connection import SftpServer
from tests.support.sshd import Sshd

DATA = bytes(range(251)) * 40_000  # 10 MB

UPLOAD = """
import sys
from pathlib import Path
from opsctl.core.store.sftp import SftpStore
from opsctl.core.store.sftp_connection import SftpServer
host, port, user, key_file, host_key, path = sys.argv[1:]
server = SftpServer(host=host, port=int(port), user=user, key_file=Path(key_file), host_keys=(host_key,))
with SftpStore(server, path).create("acme/one") as upload:
    for _ in range(4):
        upload.write(b"x" * 100_000)
    upload.commit()
"""


def test_an_upload_goes_on_over_a_new_connection(sshd: Sshd, sftp_store: SftpStore) -> None:
    with sftp_store.create("acme/one") as upload:
        for start in range(0, len(DATA), 1_000_000):
            upload.write(DATA[start : start + 1_000_000])
            if start in {1_000_000, 5_000_000}:
                sshd.drop_connections()
        sshd.drop_connections()
        upload.commit()
    assert get(sftp_store, "acme/one") == DATA


def test_two_uploads_at_once_go_on_over_one_new_connection(sshd: Sshd, sftp_store: SftpStore) -> None:
    with sftp_store.create("one") as one, sftp_store.create("two") as two:
        for start in range(0, len(DATA), 1_000_000):
            one.write(DATA[start : start + 1_000_000])
            two.write(DATA[start : start + 1_000_000])
            if start == 3_000_000:
                sshd.drop_connections()
        one.commit()
        two.commit()
    assert sshd.connections == 1
    assert get(sftp_store, "one") == get(sftp_store, "two") == DATA


def test_a_reader_goes_on_where_it_was(sshd: Sshd, sftp_store: SftpStore) -> None:
    put(sftp_store, "acme/one", DATA)
    found = bytearray()
    with sftp_store.open("acme/one", offset=10) as stream:
        while block := stream.read(3_000_000):
            found += block
            sshd.drop_connections()
    assert found == DATA[10:]


def test_short_questions_are_asked_again(sshd: Sshd, sftp_store: SftpStore) -> None:
    put(sftp_store, "acme/one", b"1")
    sshd.drop_connections()
    assert sftp_store.stat("acme/one") is not None
    sshd.drop_connections()
    assert [item.key for item in sftp_store.list("acme/")] == ["acme/one"]
    sshd.drop_connections()
    sftp_store.delete("acme/one")
    sshd.drop_connections()
    assert sftp_store.stat("acme/one") is None


def test_an_upload_that_cannot_go_on_leaves_nothing_to_see(sshd: Sshd, folder: tuple[Path, str]) -> None:
    impatient = SftpStore(sshd.server(), folder[1], waits_s=())
    with impatient.create("acme/one") as upload:
        upload.write(DATA)
        sshd.drop_connections()
        with pytest.raises(UnreachableError):
            upload.commit()
    assert impatient.stat("acme/one") is None
    assert list(impatient.list("")) == []
    put(impatient, "acme/one", b"now it may be written")
    impatient.close()


def test_a_reader_that_cannot_go_on_says_so(sshd: Sshd, folder: tuple[Path, str]) -> None:
    impatient = SftpStore(sshd.server(), folder[1], waits_s=())
    put(impatient, "acme/one", DATA)
    with impatient.open("acme/one") as stream:
        stream.read(1000)
        sshd.drop_connections()
        with pytest.raises(UnreachableError):
            stream.read()
    impatient.close()


@pytest.mark.parametrize("action", ["stat", "read", "write"])
def test_a_server_that_hangs_is_given_up(sshd: Sshd, folder: tuple[Path, str], action: str) -> None:
    store = SftpStore(sshd.server(timeout_s=1), folder[1], waits_s=())
    put(store, "acme/one", DATA)
    with store.open("acme/one") as stream, store.create("acme/two") as upload:
        actions: dict[str, Callable[[], object]] = {
            "stat": lambda: store.stat("acme/one"),
            "read": stream.read,
            "write": lambda: upload.write(DATA),
        }
        stream.read(1)
        sshd.freeze()
        with pytest.raises(UnreachableError):
            actions[action]()
        sshd.drop_connections()
    assert [item.key for item in store.list("")] == ["acme/one"]
    store.close()


def test_whoever_gave_a_hanging_server_up_does_not_wait_for_it_again(sshd: Sshd, folder: tuple[Path, str]) -> None:
    store = SftpStore(sshd.server(timeout_s=1), folder[1], waits_s=())
    upload = store.create("acme/one")
    sshd.freeze()
    with pytest.raises(UnreachableError), upload:
        upload.write(DATA)
    assert sshd.waiting == 0
    sshd.drop_connections()
    store.close()


def test_a_network_that_takes_no_more_bytes_holds_no_writer(
    sshd: Sshd, folder: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection

    def narrow(address: tuple[str, int], timeout: float) -> socket.socket:
        connection = connect(address, timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return connection

    monkeypatch.setattr(socket, "create_connection", narrow)
    store = SftpStore(sshd.server(timeout_s=1), folder[1], waits_s=())
    upload = store.create("acme/one")
    sshd.freeze()
    with pytest.raises(UnreachableError), upload:
        upload.write(DATA)  # full are the buffers of the network, before any answer is waited for
    sshd.drop_connections()
    store.close()


def test_a_server_that_hangs_on_one_connection_is_asked_over_another(sshd: Sshd, folder: tuple[Path, str]) -> None:
    store = SftpStore(sshd.server(timeout_s=1), folder[1])
    put(store, "acme/one", DATA)
    sshd.freeze(new_ones=False)
    assert store.stat("acme/one") is not None
    sshd.drop_connections()
    store.close()


def test_bytes_that_the_server_lost_with_its_power_are_noticed(
    sshd: Sshd, sftp_store: SftpStore, folder: tuple[Path, str]
) -> None:
    with sftp_store.create("acme/one") as upload:
        upload.write(DATA)
        sshd.drop_connections()
        (hidden,) = (folder[0] / "acme").iterdir()
        os.truncate(hidden, 1000)
        with pytest.raises(StoreError, match="what it had confirmed is gone"):
            upload.commit()
    assert list(sftp_store.list("")) == []


class LosesBytes(SftpStore):
    """Of a server that confirmed and synced bytes, and has not all of them."""

    def __init__(self, server: SftpServer, folder: tuple[Path, str]) -> None:
        super().__init__(server, folder[1])
        self._here = folder[0]

    def publish(self, key: str, hidden: str, final: str, size: int) -> None:
        os.truncate(self._here / "acme" / Path(hidden).name, size - 1)
        super().publish(key, hidden, final, size)


def test_what_has_not_arrived_whole_is_not_published(sshd: Sshd, folder: tuple[Path, str]) -> None:
    store = LosesBytes(sshd.server(), folder)
    with pytest.raises(StoreError, match="9 of 10 bytes have arrived"):
        put(store, "acme/one", b"0123456789")
    assert [path for path in folder[0].rglob("*") if path.is_file()] == []
    store.close()


@pytest.mark.parametrize(
    ("failpoint", "published"),
    [
        ("store.write@3", False),
        ("store.before_fsync", False),
        ("store.before_publish", False),
        ("store.after_publish", True),
    ],
)
def test_a_killed_upload_is_there_whole_or_not_at_all(
    sshd: Sshd, folder: tuple[Path, str], failpoint: str, published: bool
) -> None:
    server = sshd.server()
    words = [server.host, str(server.port), server.user, str(server.key_file), server.host_keys[0], folder[1]]
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, *words], env={**os.environ, "OPSCTL_FAILPOINT": failpoint}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    found = list(DirectoryStore(folder[0]).list(""))
    assert [(item.key, item.size) for item in found] == ([("acme/one", 400_000)] if published else [])
