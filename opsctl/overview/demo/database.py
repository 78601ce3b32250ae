"""The throwaway customer's MariaDB: made, started, stopped, and its accounts."""

import contextlib
import os
import secrets
import select
import signal
import socket as sockets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pymysql

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.process import command, run, spawn
from opsctl.overview.demo.host_tree import BLOG_CONFIG, php_constant, write_secret
from opsctl.overview.demo.layout import DATA, Layout, as_customer, on_host
from opsctl.overview.demo.size import DemoSize

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 120
_GIB = 1 << 30


def install(layout: Layout, size: DemoSize) -> None:
    """Make an empty datadir, and the option file that fits the amount of data."""
    big = size.filler_bytes > _GIB // 10
    options = {
        "innodb-buffer-pool-size": "512M" if big else "64M",
        "innodb-log-file-size": "256M" if big else "16M",
        "max-binlog-size": "1G" if big else "64M",
        "key-buffer-size": "1M",
        "aria-pagecache-buffer-size": "8M",
        "performance-schema": "OFF",
    }
    text = "".join(f"{name} = {value}\n" for name, value in options.items())
    layout.at("/etc/mysql/mariadb.conf.d/70-size.cnf").write_text(f"[mariadbd]\n{text}")
    install_db = command(
        "mariadb-install-db",
        "--defaults-file=/etc/mysql/my.cnf",
        "--skip-test-db",
        "--auth-root-authentication-method=normal",
        "--cross-bootstrap",
    )
    run(on_host(layout, install_db), timeout_s=START_TIMEOUT_S)


def start(layout: Layout) -> None:
    """Start the server and return once it answers. Raises UnreachableError, with its last words, when it does not.

    It runs as the customer's user outside of the view in which its sites run, as on a host of its own: its variables
    name the paths at which this machine sees its files.
    """
    _write_options(layout)
    with layout.server_output.open("ab") as output:
        server = spawn(
            as_customer(command("mariadbd", f"--defaults-file={layout.server_options}")),
            stdin=None,
            stdout=output,
            stderr=output,
        )
    layout.pid_file.write_text(f"{server.pid}\n")
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(layout):
        if server.poll() is not None or time.monotonic() > deadline:
            end(layout, signal.SIGKILL)
            raise UnreachableError(f"the demo's MariaDB did not start: {_last_words(layout)}", where=str(layout.socket))
        time.sleep(0.02)
    # The server may outlive this process, and `end` may be called in another one: this object has done its work.
    server.returncode = 0


def _write_options(layout: Layout) -> None:
    """Write what the server runs with: the host's own option files, and where the paths in them lie on this machine."""
    paths = {
        "datadir": "/var/lib/mysql",
        "pid-file": "/run/mysqld/mysqld.pid",
        "socket": "/run/mysqld/mysqld.sock",
        "log-error": "/var/log/mysql/error.log",
        "file-key-management-filename": "/etc/mysql/encryption/keyfile.enc",
    }
    filekey = layout.at("/etc/mysql/encryption/keyfile.key")
    lines = [
        f"!includedir {layout.at('/etc/mysql/mariadb.conf.d')}",
        "[mariadbd]",
        *(f"{name} = {layout.at(path)}" for name, path in paths.items()),
        f"file-key-management-filekey = FILE:{filekey}",
        "log-bin = mysql-bin",  # relative, so that a copy of the stack does not read the original's
    ]
    layout.server_options.write_text("\n".join(lines) + "\n")


def end(layout: Layout, how: signal.Signals) -> None:
    """End the server by SIGTERM (a clean shutdown) or SIGKILL (a power cut); return when it is gone.

    Nothing happens when none runs. Raises OpsError when it has not ended within `STOP_TIMEOUT_S` seconds.
    """
    pid = _server_pid(layout)
    if pid is None:
        layout.pid_file.unlink(missing_ok=True)
        return
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, how)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(STOP_TIMEOUT_S * 1000):
            raise OpsError("the demo's MariaDB does not end", where=str(layout.socket), hint=f"see process {pid}")
    finally:
        os.close(descriptor)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    layout.pid_file.unlink()


def is_running(layout: Layout) -> bool:
    """Whether the server runs."""
    return _server_pid(layout) is not None


def _server_pid(layout: Layout) -> int | None:
    """The process id in the pid file, if that process is still the one that was started for this directory."""
    if not layout.pid_file.exists():
        return None
    pid = int(layout.pid_file.read_text())
    return pid if str(layout.server_options) in _proc(pid, "cmdline") else None


def _proc(pid: int, name: str) -> str:
    """Read a file of /proc; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def connect(layout: Layout, **others: Any) -> "pymysql.Connection[Any]":
    """Connect as the database's root, committing each statement."""
    password = layout.admin_password.read_text() if layout.admin_password.exists() else ""
    return pymysql.connect(
        unix_socket=str(layout.socket), user="root", password=password, autocommit=True, charset="utf8mb4", **others
    )


def _answers(layout: Layout) -> bool:
    """Whether the server greets who calls; nobody has to log in for that."""
    with sockets.socket(sockets.AF_UNIX) as caller:
        caller.settimeout(START_TIMEOUT_S)
        try:
            caller.connect(str(layout.socket))
            return caller.recv(1) != b""
        except OSError:
            return False


def _last_words(layout: Layout) -> str:
    for log in (layout.at("/var/log/mysql/error.log"), layout.server_output):
        text = log.read_text(errors="replace") if log.exists() else ""
        lines = [line for line in text.splitlines() if "[ERROR]" in line or "bwrap:" in line]
        if lines:
            return lines[-1]
    return "its log names no error"


def run_script(
    connection: "pymysql.Connection[Any]", name: str, variables: Mapping[str, str | int | None] | None = None
) -> None:
    """Run a file of data/sql, statement by statement, with session variables set before.

    A statement ends at a semicolon before an empty line, so that bodies of routines need no other delimiter.
    """
    with connection.cursor() as cursor:
        for variable, value in (variables or {}).items():
            cursor.execute(f"SET @{variable} = %s", (value,))
        for statement in (DATA / "sql" / name).read_text().split(";\n\n"):
            if statement.strip():
                cursor.execute(statement)


def create_accounts(layout: Layout) -> None:
    """Create databases and accounts with the passwords that the sites' configuration holds, and opsctl's own.

    Until the database's root has its password, nobody else can reach the socket.
    """
    layout.secrets.mkdir(parents=True, mode=0o700)
    passwords = {
        "wordpress": php_constant(layout.at(BLOG_CONFIG), "DB_PASSWORD"),
        "crm": php_constant(layout.at("/srv/crm/application/config/app-config.php"), "APP_DB_PASSWORD"),
    }
    for account in ("backup", "ship", "export", "watch"):
        passwords[account] = secrets.token_urlsafe(24)
        write_secret(layout.secrets / f"{account}.password", passwords[account] + "\n")
    admin = secrets.token_urlsafe(24)
    with connect(layout) as connection:
        run_script(connection, "users.sql", passwords)
        with connection.cursor() as cursor:
            cursor.execute("ALTER USER root@localhost IDENTIFIED BY %s", (admin,))
    write_secret(layout.admin_password, admin)
    layout.socket.parent.chmod(0o755)
