"""SSH connections: a pinned host key, one key of our own, a limit on every wait."""

import base64
import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import paramiko

from opsctl.core.errors import AuthError, UnreachableError

# What goes wrong is raised as an error; its tracebacks are nothing for an operator's terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

KEEPALIVE_S = 15
# AES-GCM first: it needs no MAC of its own, which halves the work of this side.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True)
class SshAccount:
    """An account on a server that speaks SSH.

    `host_keys` are the keys that the server may show, in OpenSSH's form (`ssh-ed25519 AAAA…`); several while it gets a
    new one. `key_file` is the account's private key. `timeout_s`: seconds that each answer may take.
    """

    host: str
    user: str
    key_file: Path
    host_keys: tuple[str, ...]
    port: int = 22
    timeout_s: float = 30

    @property
    def where(self) -> str:
        """The account, for a person."""
        port = "" if self.port == 22 else f":{self.port}"
        return f"{self.user}@{self.host}{port}"


class SshConnection:
    """Opens sessions of one account; connects when there is need to. Threads may share it."""

    kind: ClassVar[str] = "host"

    def __init__(self, account: SshAccount) -> None:
        self._server = account
        self._transport: paramiko.Transport | None = None
        self._lock = threading.Lock()

    def session(self, subsystem: str | None = None) -> paramiko.Channel:
        """Open a session. Raises UnreachableError, and AuthError for a key that either side does not accept."""
        with self._lock:
            if self._transport is None or not self._transport.is_active():
                with self._explained():
                    self._transport = self._connect()
            try:
                with self._explained():
                    channel = self._transport.open_session(timeout=self._server.timeout_s)
                    channel.settimeout(self._server.timeout_s)
                    if subsystem is not None:
                        channel.invoke_subsystem(subsystem)
                return channel
            except BaseException:
                self._drop()
                raise

    def lost(self, failed: object) -> None:
        """Forget a connection that failed. The next session connects anew."""
        with self._lock:
            if failed is self._transport:
                self._drop()

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _connect(self) -> paramiko.Transport:
        server = self._server
        key = _private_key(server.key_file)
        connection = socket.create_connection((server.host, server.port), timeout=server.timeout_s)
        # A peer that stops reading, or is cut off, must not hold a thread that writes.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(server.timeout_s * 1000))
        transport = paramiko.Transport(connection)
        try:
            transport.banner_timeout = transport.auth_timeout = server.timeout_s
            options = transport.get_security_options()
            options.ciphers = _CIPHERS
            options.key_types = _key_types(server.host_keys)
            transport.start_client(timeout=server.timeout_s)
            self._check(transport.get_remote_server_key())
            transport.auth_publickey(server.user, key)
            transport.set_keepalive(KEEPALIVE_S)
        except BaseException:
            transport.close()
            raise
        return transport

    def _check(self, shown: paramiko.PKey) -> None:
        pinned = {base64.b64decode(key.split()[1]) for key in self._server.host_keys}
        if shown.asbytes() not in pinned:
            raise AuthError(
                f"the server's host key is none of the pinned ones, but {shown.get_name()} {shown.fingerprint}",
                where=self._server.where,
                hint="find out why before you trust it; a key changed on purpose belongs into host_keys",
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        where, keys = self._server.where, " ".join(key.split()[0] for key in self._server.host_keys)
        try:
            yield
        except paramiko.AuthenticationException as error:
            raise AuthError(
                f"the server does not accept the key of {self._server.user}",
                where=where,
                hint=f"add {self._server.key_file}.pub to the account's authorized_keys",
            ) from error
        except paramiko.ssh_exception.IncompatiblePeer as error:
            hint = f"the pinned host keys are of type {keys}; look: ssh-keyscan {self._server.host}"
            raise AuthError(f"no common way to talk: {error}", where=where, hint=hint) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            hint = "look at the address, the firewall and the server"
            raise UnreachableError(
                f"the {self.kind} cannot be reached: {str(error) or type(error).__name__}", where=where, hint=hint
            ) from error


def public_key(file: Path) -> str:
    """The public half of a private key's file, base64 as in an authorized_keys file. Raises AuthError."""
    return _private_key(file).get_base64()


def _private_key(file: Path) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(file)
    except OSError as error:
        raise AuthError(f"the key of the account cannot be read: {error.strerror}", where=str(file)) from error
    except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, ValueError, TypeError) as error:
        raise AuthError(
            "the key of the account is no private key without passphrase",
            where=str(file),
            hint="make one: ssh-keygen -t ed25519 -N '' -f FILE",
        ) from error


def _key_types(host_keys: tuple[str, ...]) -> tuple[str, ...]:
    """The signatures that the pinned keys can make; asking for others would bring a key that is not pinned."""
    types: dict[str, None] = {}
    for key in host_keys:
        name = key.split()[0]
        types.update(dict.fromkeys(_RSA_SIGNATURES if name == "ssh-rsa" else (name,)))
    return tuple(types)
