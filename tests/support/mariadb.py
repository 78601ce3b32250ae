"""Real MariaDB servers for tests: one line to start, always stopped, nothing shared with the system's own server."""

import atexit
import contextlib
import functools
import os
import pwd
import secrets
import select
import shutil
import signal
import socket as sockets
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

# Small, quick to start and to stop; what a test passes comes later on the command line, and wins.
_QUICK = (
    "--skip-networking",
    "--performance-schema=OFF",
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-fast-shutdown=1",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=8M",
    "--character-set-server=utf8mb4",
    "--loose-innodb-buffer-pool-dump-at-shutdown=OFF",
    "--loose-innodb-buffer-pool-load-at-startup=OFF",
)
_START_TIMEOUT_MS = 60_000
_STOP_TIMEOUT_S = 60


@dataclass
class Server:
    """One mariadbd. `directory` is short enough for sockets and holds everything but, perhaps, the data."""

    directory: Path
    datadir: Path
    options: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def socket(self) -> Path:
        return self.directory / "db.sock"

    @property
    def error_log(self) -> Path:
        return self.directory / "error.log"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self, options: Sequence[str] | None = None) -> None:
        """Start, and return once the server answers; `options`, if given, replace those of the last start."""
        if options is not None:
            self.options = tuple(options)
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as notify:
            address = self.directory / "notify.sock"
            address.unlink(missing_ok=True)
            notify.bind(os.fspath(address))
            address.chmod(0o777)
            with self.error_log.open("ab") as log:
                give_to_server(self.error_log)  # FLUSH LOGS opens it anew
                self._process = subprocess.Popen(
                    self._argv(),
                    env={**os.environ, "NOTIFY_SOCKET": os.fspath(address)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self._wait_until_ready(notify)

    def stop(self) -> None:
        """Shut down cleanly (a Stop event ends the binary log)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self, options: Sequence[str] | None = None) -> None:
        self.stop()
        self.start(options)

    def connect(self, *, user: str = "root", password: str = "", **others: Any) -> "pymysql.Connection[Any]":
        """A PyMySQL connection over the socket, autocommitting."""
        return pymysql.connect(
            unix_socket=os.fspath(self.socket), user=user, password=password, autocommit=True, **others
        )

    def sql(self, *statements: str) -> tuple[tuple[Any, ...], ...]:
        """Run the statements as root in one session; the rows of the last one."""
        rows: tuple[tuple[Any, ...], ...] = ()
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = tuple(cursor.fetchall())
        return rows

    def value(self, *statements: str) -> Any:
        """Run the statements as root in one session; the first column of the last one's first row."""
        return self.sql(*statements)[0][0]

    def fetch_raw(self, into: Path, first: str | None = None) -> list[Path]:
        """Fetch the binary logs from `first` (the oldest, if not given) to the last as `mariadb-binlog --raw` does."""
        names = [row[0] for row in self.sql("SHOW BINARY LOGS")]
        wanted = names[names.index(first) :] if first else names
        into.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                *("mariadb-binlog", "--no-defaults", "--user=root", f"--socket={self.socket}"),
                *("--read-from-remote-server", "--raw", f"--result-file={into}/", *wanted),
            ],
            check=True,
            capture_output=True,
        )
        return [into / name for name in wanted]

    def _argv(self) -> list[str]:
        identity = ["--reuid=mysql", "--regid=mysql", "--clear-groups"] if os.geteuid() == 0 else []
        return [
            # Whatever happens to the test, the server ends with the thread that started it.
            *("setpriv", *identity, "--pdeathsig=KILL", "--", "mariadbd", "--no-defaults"),
            *_QUICK,
            *(f"--datadir={self.datadir}", f"--socket={self.socket}", f"--tmpdir={self.directory}"),
            *(f"--pid-file={self.directory}/db.pid", f"--log-error={self.error_log}"),
            *self.options,
        ]

    def _wait_until_ready(self, notify: sockets.socket) -> None:
        assert self._process is not None
        watched = os.pidfd_open(self._process.pid)
        try:
            poll = select.poll()
            poll.register(notify, select.POLLIN)
            poll.register(watched, select.POLLIN)
            while ready := poll.poll(_START_TIMEOUT_MS):
                if any(descriptor == watched for descriptor, _ in ready):
                    break
                if b"READY=1" in notify.recv(4096):
                    return
        finally:
            os.close(watched)
        self.kill()
        raise AssertionError(f"mariadbd did not start:\n{self.error_log.read_text(errors='replace')[-4000:]}")

    def _end(self, by: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(by)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@contextlib.contextmanager
def running_server(
    options: Sequence[str] = (), *, encrypted: bool = False, datadir: Path | None = None
) -> Iterator[Server]:
    """A running server on a fresh datadir (root@localhost without a password), or on `datadir`, which is kept.

    `encrypted`: InnoDB tables, redo log, Aria tables, temporary files and binary logs, by file_key_management with
    the key file `keys` in the server's directory.
    """
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if datadir is None:
            datadir = directory / "data"
            shutil.copytree(_template(), datadir)
        give_to_server(directory)
        give_to_server(datadir)
        server = Server(directory, datadir, (*(encryption_options(directory) if encrypted else ()), *options))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def encryption_options(directory: Path) -> tuple[str, ...]:
    """The options that encrypt everything, with a new key file `keys` (key 1) in `directory` unless it is there."""
    keys = directory / "keys"
    if not keys.exists():
        keys.write_text(f"1;{secrets.token_hex(32)}\n")
        give_to_server(keys)
        keys.chmod(0o400)
    return (
        *("--plugin-load-add=file_key_management", f"--file-key-management-filename={keys}"),
        *("--innodb-encrypt-tables=ON", "--innodb-encrypt-log=ON", "--aria-encrypt-tables=ON"),
        *("--encrypt-tmp-files=ON", "--encrypt-binlog=ON"),
    )


def give_to_server(path: Path) -> None:
    """Make `path`, and all below it, belong to the user that mariadbd runs as."""
    if os.geteuid() != 0:
        return
    owner = pwd.getpwnam("mysql")
    os.chown(path, owner.pw_uid, owner.pw_gid)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), owner.pw_uid, owner.pw_gid, follow_symlinks=False)


@functools.cache
def _template() -> Path:
    """An initialised datadir that each new server copies, made once per test process."""
    directory = Path(tempfile.mkdtemp(prefix="o-tpl-", dir="/tmp"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    give_to_server(directory)
    datadir = directory / "data"
    subprocess.run(
        [
            *("mariadb-install-db", "--no-defaults", f"--datadir={datadir}", f"--user={_server_user()}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
            "--innodb-log-file-size=16M",
        ],
        check=True,
        capture_output=True,
    )
    return datadir


def _server_user() -> str:
    return "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
