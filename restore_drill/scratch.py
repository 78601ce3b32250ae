"""A scratch server: mariadbd in the sandbox on a restored datadir, reached over its socket only."""

import contextlib
import re
import secrets
import socket as sockets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pymysql
from pydantic import SecretStr
from pymysql.constants import CR

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.failpoints import failpoint
from opsctl.core.process import Child, command, describe_status, kill, spawn
from opsctl.core.room import says_full
from opsctl.core.sandbox import Mount, give_to_sandbox, sandboxed
from restore_drill.hostile import new_file, opened_socket, read_tail
from restore_drill.room_watch import RoomWatch

# Where things lie inside the sandbox.
DATA = Path("/restored/data")
KEYS = Path("/restored/keys")
LOGS = Path("/restored/logs")
RUN = Path("/run/opsctl")

SOCKET = "db.sock"
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 300.0
POLL_S = 0.02
_STAMP = re.compile(r"^[\d-]+ +[\d:]+ +\d+ ")


@dataclass(frozen=True)
class ServerPlace:
    """What a scratch server works on: the datadir and its directory for sockets and logs, which it may write, the
    restored keys and the opened binary logs, which it may read."""

    data: Path
    run: Path
    keys: Path
    logs: Path

    def mounts(self) -> tuple[Mount, ...]:
        """The directories as the sandbox shows them."""
        return (
            Mount(self.data, DATA, writable=True),
            Mount(self.run, RUN, writable=True),
            Mount(self.keys, KEYS),
            Mount(self.logs, LOGS),
        )


def server_words(extra: Sequence[str], *, buffer_pool_mb: int, server_id: int) -> list[str]:
    """Build the words of mariadbd: no option file, no network, no events, no binary log, nothing loaded but `extra`.

    What a source accepted must be accepted again, so limits are wide and strictness is off. Nothing has to survive a
    crash: what was interrupted is thrown away.
    """
    return [
        "mariadbd",
        "--no-defaults",
        f"--datadir={DATA}",
        f"--socket={RUN / SOCKET}",
        f"--pid-file={RUN}/server.pid",
        f"--log-error={RUN}/error.log",
        f"--tmpdir={RUN / 'tmp'}",
        f"--init-file={RUN}/init.sql",
        f"--server-id={server_id}",
        f"--innodb-buffer-pool-size={buffer_pool_mb}M",
        f"--relay-log={RUN}/relay/bin",
        f"--relay-log-index={RUN}/relay/bin.index",
        f"--relay-log-info-file={RUN}/relay.info",
        f"--master-info-file={RUN}/master.info",
        "--relay-log-purge=0",
        "--slave-parallel-threads=0",
        "--slave-sql-verify-checksum=1",
        "--skip-slave-start",
        "--skip-networking",
        "--skip-log-bin",
        "--skip-symbolic-links",
        "--event-scheduler=OFF",
        "--gtid-strict-mode=OFF",
        "--local-infile=OFF",
        "--max-allowed-packet=1G",
        "--slave-max-allowed-packet=1G",
        "--innodb-strict-mode=OFF",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-dump-at-shutdown=OFF",
        "--innodb-buffer-pool-load-at-startup=OFF",
        "--performance-schema=OFF",
        *extra,
        "--innodb-log-file-size=256M",
    ]


class ScratchServer:
    """One mariadbd that ends with its block, with this process, or by `stop`, whichever comes first.

    Its administrator is an account of a random name with a random password, made by --init-file at each start:
    `stop(drop_admin=True)` takes it away from a datadir that is to be kept.
    """

    def __init__(self, place: ServerPlace, extra: Sequence[str], *, buffer_pool_mb: int, server_id: int) -> None:
        self._place = place
        self._words = server_words(extra, buffer_pool_mb=buffer_pool_mb, server_id=server_id)
        self._admin = f"opsctl-{secrets.token_hex(8)}"
        self._password = SecretStr(secrets.token_hex(24))
        self._child: Child | None = None
        self._watch: RoomWatch | None = None

    def start(self) -> Self:
        """Start, unless it runs. Raises UnreachableError, with the server's last words, when it does not come up."""
        if self._child is None:
            try:
                self._start()
            except BaseException:
                self.kill()
                raise
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
        else:
            self.kill()

    @property
    def socket(self) -> Path:
        """Its socket, on this machine."""
        return self._place.run / SOCKET

    @property
    def admin(self) -> str:
        """Its administrator's name."""
        return self._admin

    @property
    def password(self) -> SecretStr:
        """Its administrator's password."""
        return self._password

    @property
    def logs(self) -> Path:
        """The directory of opened binary logs it can read."""
        return self._place.logs

    @property
    def run(self) -> Path:
        """Its directory for sockets and logs."""
        return self._place.run

    def mounts(self, target_socket: Path) -> tuple[Mount, ...]:
        """What another sandbox has to be shown so that it finds the server's socket at `target_socket`.

        Raises UnreachableError when it is no socket any more.
        """
        try:
            with opened_socket(self.socket):
                return (Mount(self.socket, target_socket),)
        except OSError as error:
            raise UnreachableError(f"the scratch server has no socket any more: {error}") from error

    def connect(
        self, user: str | None = None, password: SecretStr | None = None, database: str | None = None, **others: Any
    ) -> "pymysql.Connection[Any]":
        """Connect as the administrator, or as a user with a password, committing each statement.

        Raises pymysql's errors.
        """
        if user is None:
            user, password = self._admin, self._password
        connection = pymysql.connect(
            user=user,
            password=password.get_secret_value() if password is not None else "",
            database=database,
            charset="utf8mb4",
            autocommit=True,
            ssl_disabled=True,  # a socket needs no TLS, whose context takes 30 ms to make
            defer_connect=True,
            **others,
        )
        connection.connect(self._connected_socket())
        return connection

    def query(self, sql: str, arguments: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run one statement as the administrator; its rows, by column. Raises OpsError with the server's answer."""
        try:
            with self.connect(cursorclass=pymysql.cursors.DictCursor) as connection, connection.cursor() as cursor:
                cursor.execute(sql, tuple(arguments))
                return [dict(row) for row in cursor.fetchall()]
        except pymysql.Error as error:
            raise self.failed(f"the scratch server refused '{sql.split(maxsplit=1)[0]}': {error.args[-1]}") from error

    def stop(self, *, drop_admin: bool = False) -> None:
        """Shut down cleanly, after dropping the administrator if asked to. Harmless when it is not running.

        Raises OpsError when it had ended before, or does not end in time (it is killed then).
        """
        child = self._child
        if child is None:
            return
        try:
            self._ask_to_end(drop_admin)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(POLL_S)
        except pymysql.Error as error:
            raise self.failed("the scratch server had ended before it was told to") from error
        finally:
            status = child.poll()
            self.kill()
        if status is None:
            raise self.failed(f"the scratch server did not shut down within {STOP_TIMEOUT_S:g} s and was killed")
        if status != 0:
            raise self.failed(f"the scratch server {describe_status(status)} at shutdown")

    def kill(self) -> None:
        """End it at once, as a power cut does; its datadir is not to be used after that."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        child, self._child = self._child, None
        if child is not None:
            kill(child)
            child.wait()

    def failed(self, message: str) -> OpsError:
        """An error about the server, with the end of its error log."""
        return OpsError(f"{message}{self._last_words()}", where=str(self._place.data))

    def _connected_socket(self) -> sockets.socket:
        """A socket to the server and to nobody else: were its name a link by now, it would lead to a server of this
        machine. It is reached through a descriptor, so the path may be longer than the 107 bytes of unix(7)."""
        client = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        try:
            with opened_socket(self.socket) as name:
                client.connect(name)
        except OSError as error:
            client.close()
            raise pymysql.OperationalError(CR.CR_CONN_HOST_ERROR, f"no server at {self.socket}: {error}") from error
        return client

    def _ask_to_end(self, drop_admin: bool) -> None:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            if drop_admin:
                cursor.execute(f"DROP USER `{self._admin}`@localhost")
            cursor.execute("SHUTDOWN")

    def _start(self) -> None:
        run = self._place.run
        for directory in (run, run / "tmp", run / "relay"):
            directory.mkdir(mode=0o700, exist_ok=True)
        (run / SOCKET).unlink(missing_ok=True)
        with new_file(run / "init.sql") as file:
            file.write(self._init_sql())
        give_to_sandbox(run)
        with new_file(run / "output.log") as output:
            self._child = spawn(
                sandboxed(command(*self._words), self._place.mounts()), stdin=None, stdout=output, stderr=output
            )
        self._watch = RoomWatch(run / "error.log", self._child)
        failpoint("restore.server_started")
        self._wait_until_ready(self._child)
        (run / "init.sql").unlink()

    def _init_sql(self) -> bytes:
        """One statement a line, as --init-file wants it."""
        account = f"`{self._admin}`@localhost"
        return (
            f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{self._password.get_secret_value()}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;\n"
        ).encode()

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if child.poll() is not None:
                raise self._not_up(f"ended at once: it {describe_status(child.returncode)}")
            if time.monotonic() > deadline:
                raise self._not_up(f"did not answer within {START_TIMEOUT_S:g} s")
            time.sleep(POLL_S)

    def _answers(self) -> bool:
        try:
            connection = self.connect(read_timeout=START_TIMEOUT_S)
            with contextlib.closing(connection), connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except pymysql.Error:
            return False
        return True

    def _not_up(self, why: str) -> UnreachableError:
        return UnreachableError(f"the scratch server {why}{self._last_words()}", where=str(self._place.data))

    def _last_words(self) -> str:
        """What it said of why it failed, each thing once: first of all that a disk is full."""
        said = read_tail(self._place.run / "output.log") + read_tail(self._place.run / "error.log")
        lines = {_STAMP.sub("", line): line for line in reversed(said.splitlines()) if _is_trouble(line)}
        told = list(reversed(lines.values()))
        why = [line for line in told if says_full(line)][:1]
        return "".join(f"\n    {line}" for line in why or told[-4:])


def _is_trouble(line: str) -> bool:
    return any(word in line for word in ("[ERROR]", "bwrap:", "setpriv:")) or says_full(line)
