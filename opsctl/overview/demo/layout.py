"""Where everything of the throwaway customer lies, and how its programs come to see it at its original paths."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsctl.core.process import Command
from opsctl.core.sandbox import Mount, bwrap_words

DATA = Path(__file__).parent / "data"

# Not the sandbox's user: a drill that reached for the live files would be refused by their owner.
CUSTOMER_UID = 61999

# The socket's path has at most 107 bytes (sun_path, unix(7)).
_SOCKET_BYTES = 107


@dataclass(frozen=True)
class Layout:
    """The directory of one throwaway customer; `root` in it is the host's file system."""

    directory: Path

    @property
    def root(self) -> Path:
        """What is `/` on the customer's host."""
        return self.directory / "host"

    @property
    def socket(self) -> Path:
        """The database's socket, as this machine sees it."""
        return self.at("/run/mysqld/mysqld.sock")

    @property
    def secrets(self) -> Path:
        """The directory with opsctl's own database passwords."""
        return self.at("/etc/opsctl/secrets")

    @property
    def admin_password(self) -> Path:
        """File with the password of the database's root; opsctl itself never needs it."""
        return self.directory / "admin.password"

    @property
    def pid_file(self) -> Path:
        """File with the process id of the running server."""
        return self.directory / "server.pid"

    @property
    def server_options(self) -> Path:
        """The option file the server runs with."""
        return self.directory / "server.cnf"

    @property
    def server_output(self) -> Path:
        """What the server says before the error log is open."""
        return self.directory / "server.log"

    def at(self, path: str) -> Path:
        """Where a path of the host lies on this machine."""
        return self.root / path.lstrip("/")

    def fits(self) -> bool:
        """Whether the path of the socket is short enough for the kernel."""
        return len(os.fsencode(self.socket)) <= _SOCKET_BYTES


def give_to_customer(path: Path) -> None:
    """Make a tree the customer's, as far as we may: only root gives files away."""
    if os.geteuid() != 0:
        return
    for entry in (path, *_below(path)):
        os.chown(entry, CUSTOMER_UID, CUSTOMER_UID, follow_symlinks=False)


def _below(path: Path) -> Iterator[Path]:
    for folder, directories, files in os.walk(path):
        for name in (*directories, *files):
            yield Path(folder, name)


def on_host(layout: Layout, cmd: Command, *, low_ports: bool = False) -> Command:
    """Return the command wrapped so that it runs as the customer's user and sees the host at its original paths.

    With `low_ports` it may listen on ports below 1024 of the sandbox's own loopback.
    """
    capabilities = ("CAP_NET_BIND_SERVICE",) if low_ports else ()
    return as_customer(cmd.prefixed(bwrap_words(_mounts(layout), capabilities=capabilities)))


def as_customer(cmd: Command) -> Command:
    """Return the command wrapped so that it runs as the customer's user, when we are root and can choose."""
    if os.geteuid() != 0:
        return cmd
    return cmd.prefixed(
        ("setpriv", f"--reuid={CUSTOMER_UID}", f"--regid={CUSTOMER_UID}", "--clear-groups", "--no-new-privs")
    )


def _mounts(layout: Layout) -> list[Mount]:
    read_only = ("/etc/mysql", "/etc/wordpress", "/etc/nginx", "/etc/letsencrypt", "/usr/share/wordpress")
    writable = ("/var", "/run", "/srv")
    return [
        *(Mount(layout.at(path), Path(path)) for path in read_only),
        *(Mount(layout.at(path), Path(path), writable=True) for path in writable),
    ]
