"""A MariaDB server of our own for the time of a test: nothing of the real one is touched."""

import contextlib
import os
import pwd
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.process import Child, Command, command, run, spawn, stop

START_TIMEOUT_S = 60.0
STOP_GRACE_S = 60.0
INSTALL_TIMEOUT_S = 300.0
POLL_S = 0.05
SOCKET = "db.sock"
_ACCOUNT = "mysql"


@contextlib.contextmanager
def scratch_server() -> Iterator[Path]:
    """Start a server with an empty data directory; yield its socket. It and all its files are gone afterwards.

    Its root account has no password, so only this user and root get at the directory with the socket.
    """
    with tempfile.TemporaryDirectory(prefix="o-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        data = directory / "data"
        user = _ACCOUNT if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(directory, user)
        run(_install(directory, data, user), timeout_s=INSTALL_TIMEOUT_S)
        with (directory / "error.log").open("wb") as log:
            child = spawn(_serve(directory, data, user), stdin=None, stdout=log, stderr=log)
            try:
                _wait(child, directory)
                yield directory / SOCKET
            finally:
                stop(child, grace_s=STOP_GRACE_S)


def _install(directory: Path, data: Path, user: str) -> Command:
    return command(
        *("mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={user}", "--skip-test-db"),
        *("--auth-root-authentication-method=normal", "--skip-name-resolve", f"--tmpdir={directory}"),
    )


def _serve(directory: Path, data: Path, user: str) -> Command:
    return command(
        *("mariadbd", "--no-defaults", f"--user={user}", f"--datadir={data}", f"--socket={directory / SOCKET}"),
        *(f"--pid-file={directory}/db.pid", "--skip-networking", "--log-bin", "--binlog-format=STATEMENT"),
        *("--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M", f"--tmpdir={directory}"),
    )


def _wait(child: Child, directory: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and child.poll() is None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(directory / SOCKET)) == 0:
                return
        time.sleep(POLL_S)
    said = (directory / "error.log").read_text(errors="replace").splitlines()[-3:]
    raise OpsError("the scratch server does not start: " + " | ".join(said), hint="is mariadb-server installed?")
