"""The SFTP store believes only pinned host keys, and says who refused whom."""

import dataclasses
import socket
from pathlib import Path

import pytest

from opsctl.core.errors import AuthError, UnreachableError
from opsctl.core.store import get, put
from opsctl.core.store.sftp import SftpStore
from opsctl.core.store.sftp_connection import SftpServer
from tests.support.sshd import Sshd


def _refused(server: SftpServer, folder: str) -> AuthError:
    store = SftpStore(server, folder)
    with pytest.raises(AuthError) as caught:
        store.stat("x")
    store.close()
    return caught.value


def test_a_server_with_another_host_key_is_refused(sshd: Sshd, folder: tuple[Path, str]) -> None:
    sshd.make_key("stranger")
    error = _refused(sshd.server(host_keys=(sshd.public_key("stranger"),)), folder[1])
    assert "host key is none of the pinned ones, but ssh-ed25519 SHA256:" in error.message
    assert error.where is not None
    assert error.where.startswith("sftp://")


def test_a_server_that_cannot_show_the_pinned_kind_of_key_is_refused(sshd: Sshd, folder: tuple[Path, str]) -> None:
    sshd.make_key("old", "rsa")
    error = _refused(sshd.server(host_keys=(sshd.public_key("old"),)), folder[1])
    assert error.hint is not None
    assert "the pinned host keys are of type ssh-rsa" in error.hint


def test_the_pinned_key_is_asked_for_even_if_it_is_not_the_servers_favourite(
    sshd: Sshd, folder: tuple[Path, str]
) -> None:
    store = SftpStore(sshd.server(host_keys=(sshd.public_key("ecdsa_host_key"),)), folder[1])
    put(store, "x", b"1")
    assert get(store, "x") == b"1"
    store.close()


def test_one_of_two_pinned_keys_of_a_kind_is_enough(sshd: Sshd, folder: tuple[Path, str]) -> None:
    sshd.make_key("next")
    pinned = (sshd.public_key("next"), sshd.public_key("host_key"))
    store = SftpStore(sshd.server(host_keys=pinned), folder[1])
    put(store, "x", b"1")
    store.close()


def test_a_key_that_the_account_does_not_know_is_refused(sshd: Sshd, folder: tuple[Path, str]) -> None:
    sshd.make_key("unknown")
    error = _refused(sshd.server(key="unknown"), folder[1])
    assert f"does not accept the key of {sshd.account.pw_name}" in error.message
    assert "PRIVATE KEY" not in repr((error.message, error.where, error.hint))


def test_a_key_with_a_passphrase_is_refused_with_a_way_out(sshd: Sshd, folder: tuple[Path, str]) -> None:
    sshd.make_key("locked", passphrase="secret words")
    error = _refused(sshd.server(key="locked"), folder[1])
    assert "no private key without passphrase" in error.message
    assert error.hint is not None
    assert "ssh-keygen" in error.hint


def test_a_key_that_is_not_there_is_refused_by_name(sshd: Sshd, folder: tuple[Path, str]) -> None:
    error = _refused(sshd.server(key="nowhere"), folder[1])
    assert error.where is not None
    assert error.where.endswith("/nowhere")


def test_a_port_where_nobody_listens_is_unreachable(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = SftpStore(dataclasses.replace(sshd.server(), port=port), "/x")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        store.stat("x")


def test_a_port_where_nobody_speaks_ssh_is_unreachable_in_bounded_time(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = dataclasses.replace(sshd.server(timeout_s=0.5), port=silent.getsockname()[1])
        with pytest.raises(UnreachableError, match="cannot be reached"):
            SftpStore(server, "/x").stat("x")
