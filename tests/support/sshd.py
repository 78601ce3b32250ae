"""A real SFTP server for tests: OpenSSH's sshd, one process for each connection, with no port of the system's own."""

import contextlib
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.core.store.sftp_connection import SftpServer

SSHD = "/usr/sbin/sshd"


@dataclass
class Sshd:
    """Accepts connections on a loopback port and hands each to an sshd of its own (`sshd -i`).

    `address` is where it listens; `sftp_options` are those of sftp-server, `wrapper` words to start sshd by, such as
    limits. It runs as root only when it is chrooted: then `directory`, too, must lie where only root may write.
    """

    directory: Path
    chrooted: bool = False
    sftp_options: str = ""
    wrapper: tuple[str, ...] = ()
    address: str = "127.0.0.1"
    _listener: socket.socket = field(init=False, repr=False)
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)
    _held: list[socket.socket] | None = field(default=None, repr=False)
    _accepting: threading.Thread = field(init=False, repr=False)

    @property
    def account(self) -> pwd.struct_passwd:
        """Who logs in: this user, or nobody when this is root, so that permissions count."""
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())

    @property
    def root(self) -> Path:
        """What the account sees as `/` when it is chrooted."""
        return self.directory / "root"

    @property
    def port(self) -> int:
        """The TCP port."""
        port = self._listener.getsockname()[1]
        assert isinstance(port, int)
        return port

    def start(self) -> None:
        """Make keys and configuration, and accept connections."""
        for folder in (self.directory, self.root):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        self.make_key("host_key")
        self.make_key("ecdsa_host_key", "ecdsa")
        self.make_key("client_key")
        shutil.copy(self.directory / "client_key.pub", self.directory / "authorized_keys")
        (self.directory / "authorized_keys").chmod(0o644)
        self._configure()
        self._listener = socket.create_server((self.address, 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Accept no more connections and end those there are."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.drop_connections()

    def server(self, *, host_keys: tuple[str, ...] = (), key: str = "client_key", timeout_s: float = 20) -> SftpServer:
        """What a client needs to know to log in."""
        return SftpServer(
            host="127.0.0.1",
            port=self.port,
            user=self.account.pw_name,
            key_file=self.directory / key,
            host_keys=host_keys or (self.public_key("host_key"),),
            timeout_s=timeout_s,
        )

    def folder(self, name: str) -> tuple[Path, str]:
        """Make an empty folder for the account; return it as this machine and as the account sees it."""
        folder = self.root / name
        folder.mkdir()
        os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        return folder, f"/{name}" if self.chrooted else str(folder)

    def make_key(self, name: str, kind: str = "ed25519", *, passphrase: str = "") -> None:
        """Make a key pair. A host key has to be readable by the user that sshd runs as."""
        file = self.directory / name
        words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(file)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        if "host_key" in name and not self.chrooted:
            os.chown(file, self.account.pw_uid, self.account.pw_gid)

    def public_key(self, name: str) -> str:
        """A public key, as it is pinned."""
        return (self.directory / f"{name}.pub").read_text().strip()

    def drop_connections(self) -> None:
        """End every connection and all that served it, as when the server's machine loses its power."""
        pids = [pid for child in self._children for pid in (child.pid, *_descendants(child.pid))]
        handles = []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                handles.append(os.pidfd_open(pid))
                signal.pidfd_send_signal(handles[-1], signal.SIGKILL)
        for handle in handles:
            select.select([handle], [], [])  # until it has ended
            os.close(handle)
        for child in self._children:
            child.wait()
        self._children.clear()
        held, self._held = self._held or [], None
        for connection in held:
            connection.close()

    def freeze(self, *, new_ones: bool = True) -> None:
        """Let every connection hang, new ones too, until they are dropped."""
        self._held = [] if new_ones else None
        for child in self._children:
            os.killpg(child.pid, signal.SIGSTOP)

    @property
    def connections(self) -> int:
        """How many connections there have been since the last time all of them were ended."""
        return len(self._children)

    @property
    def waiting(self) -> int:
        """How many connections were made to the frozen server."""
        return len(self._held or ())

    def _configure(self) -> None:
        lines = [
            f"HostKey {self.directory}/host_key",
            f"HostKey {self.directory}/ecdsa_host_key",
            f"AuthorizedKeysFile {self.directory}/authorized_keys",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "StrictModes no",
            "UsePAM yes",  # without it, an sshd that may not read the shadow file takes accounts for locked
            "PidFile none",
            "LogLevel VERBOSE",
            "Subsystem sftp internal-sftp",
            f"ForceCommand internal-sftp {self.sftp_options}",
            *([f"ChrootDirectory {self.root}"] if self.chrooted else []),
        ]
        (self.directory / "sshd_config").write_text("\n".join(lines) + "\n")

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._held is not None:
                self._held.append(connection)
                continue
            with connection:
                self._children.append(self._serve(connection))

    def _serve(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        as_account: tuple[str, ...] = ()
        if os.geteuid() == 0 and not self.chrooted:
            user, group = self.account.pw_uid, self.account.pw_gid
            as_account = ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups")
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                [*self.wrapper, *as_account, SSHD, "-i", "-e", "-f", str(self.directory / "sshd_config")],
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=log,
                start_new_session=True,
            )


def _descendants(pid: int) -> Iterator[int]:
    """The processes that a process has started; a session of SFTP is one of its own."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


@contextlib.contextmanager
def running_sshd(
    directory: Path,
    *,
    chrooted: bool = False,
    sftp_options: str = "",
    wrapper: tuple[str, ...] = (),
    address: str = "127.0.0.1",
) -> Iterator[Sshd]:
    """Run a server for the length of a block."""
    if chrooted:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it when it is root
    sshd = Sshd(directory, chrooted=chrooted, sftp_options=sftp_options, wrapper=wrapper, address=address)
    sshd.start()
    try:
        yield sshd
    finally:
        sshd.stop()
