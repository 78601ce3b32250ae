"""The vault: verifying a million rows, a day's rows, inserting with eight writers, importing a chat."""

import contextlib
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from benchmarks.harness import Figure, compare, show
from opsctl.core.mariadb.connect import rows
from opsctl.core.progress import Silent
from tests.support.mariadb import Server, running_server
from tests.support.vault import make_vault
from tests.support.vault_log import AuditLog, make_log
from vault.accounts import Role
from vault.context import Vault
from vault.importing.run import Request, import_export
from vault.verify.run import Scope, reader, verify

ROWS = 1_000_000
NEW_ROWS = 1_000
WRITERS, EACH = 8, 1_000
MESSAGES = 200_000
OPTIONS = ("--innodb-buffer-pool-size=1G", "--innodb-log-file-size=256M", "--innodb-flush-log-at-trx-commit=1")
# What a real event looks like, 190 bytes of it.
PAYLOAD = """CONCAT(
  '{"action":"message.read","actor":"user-', seq MOD 17, '@office","at":"2026-05-01T10:00:00Z","details":{"n":', seq,
  '},"origin":"10.0.0.', seq MOD 250, '","subject":"chat-', seq, '","version":1}')"""


def main() -> None:
    """Measure all of it on one server; durability as in production: a log flush for every commit."""
    with running_server(OPTIONS) as server, tempfile.TemporaryDirectory() as directory:
        vault = make_vault(server, Path(directory))
        log = make_log(vault, server, Path(directory))
        inserts(server, log)
        with vault.connect(Role.ADMIN) as connection:
            rows(connection, f"INSERT INTO audit (payload) SELECT {PAYLOAD} FROM seq_1_to_{ROWS}")
        verification(server, log)
        daily(log)
        imports(vault, Path(directory))


def rate(figures: list[Figure], count: int, what: str) -> None:
    """Say how many a second."""
    for figure in figures:
        print(f"  {figure.name:<44} {count / figure.median:12,.0f} {what}/s")


def verification(server: Server, log: AuditLog) -> None:
    """Every link and the root, beside a client that reads the same rows and throws them away."""
    size = int(server.value(f"SELECT MAX(seq) FROM {log.vault.database}.audit"))

    def client() -> None:
        words = ["mariadb", "--no-defaults", "--user=root", f"--socket={server.socket}", "--quick", "-N", "-B"]
        query = f"SELECT seq, prev_hash, row_hash, payload FROM {log.vault.database}.audit ORDER BY seq"
        subprocess.run([*words, "-e", query], stdout=subprocess.DEVNULL, check=True)

    def walk(parallel: int) -> None:
        found = verify(reader(log.vault), log.custody, Scope(full=True, parallel=parallel), Silent())
        assert found.state.size == size
        assert found.state.broken is None

    figures = compare(
        {
            "mariadb --quick, plain SELECT": client,
            "vault verify --full --parallel 2": lambda: walk(2),
            "vault verify --full --parallel 1": lambda: walk(1),
        }
    )
    show(f"verify {size:,} rows", figures, "aim at 1.5, and at 400,000 rows/s")
    rate(figures, size, "rows")
    peaks = [resource.getrusage(who).ru_maxrss >> 10 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"  largest process: {peaks[0]} MiB (this one), {peaks[1]} MiB (any child)")


def daily(log: AuditLog) -> None:
    """What is new since a checkpoint, signatures included."""
    log.checkpoint()

    def one_day() -> float:
        log.fill(NEW_ROWS)
        started = time.perf_counter()
        found = log.verify(full=False)
        took = time.perf_counter() - started
        assert found.state.size - found.since == NEW_ROWS
        log.checkpoint()
        return took

    show(f"verify {NEW_ROWS:,} new rows behind {ROWS:,}", compare({"vault verify": one_day}), "aim at 1 s")


def insert(vault: Vault, table: str) -> None:
    """One writer: so many rows, each a transaction."""
    with vault.connect(Role.ADMIN if table == "plain" else Role.APP) as connection, connection.cursor() as cursor:
        for number in range(EACH):
            cursor.execute(f"INSERT INTO {table} (payload) VALUES (_binary %s)", (b"x" * 180 + b"%d" % number,))


@contextlib.contextmanager
def writers() -> Iterator[ProcessPoolExecutor]:
    """Processes that are up before the clock runs."""
    with ProcessPoolExecutor(WRITERS, get_context("spawn")) as pool:
        list(pool.map(time.sleep, [0.5] * WRITERS))
        yield pool


def inserts(server: Server, log: AuditLog) -> None:
    """Audited inserts beside inserts into a table without a chain."""
    vault = log.vault
    server.sql(
        f"CREATE TABLE {vault.database}.plain"
        " (seq BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, payload LONGBLOB NOT NULL)"
    )
    with writers() as pool:
        figures = compare(
            {
                "a table without a chain": lambda: list(pool.map(insert, [vault] * WRITERS, ["plain"] * WRITERS)),
                "the audit log": lambda: list(pool.map(insert, [vault] * WRITERS, ["audit"] * WRITERS)),
            }
        )
    show(f"{WRITERS} writers, {EACH:,} rows each", figures, "aim at 1,500 rows/s")
    rate(figures, WRITERS * EACH, "rows")
    server.sql(f"DROP TABLE {vault.database}.plain")
    print(f"  the chain after that: {log.verify().state.verdict.value}")


def imports(vault: Vault, directory: Path) -> None:
    """A chat into an empty archive, and the same again."""
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    text = "".join(
        f"{begin + timedelta(seconds=37 * number):%d/%m/%Y, %H:%M} - Bob {number % 7}: message {number} of many\n"
        for number in range(MESSAGES)
    )
    path = directory / "chat.txt"
    path.write_text(text)
    turn = iter(range(100))

    def fresh() -> None:
        done = import_export(vault, Request(path, f"chat {next(turn)}", "Asia/Kolkata", "a", "b"))
        assert done.added == MESSAGES

    def again() -> None:
        assert import_export(vault, Request(path, "chat 0", "Asia/Kolkata", "a", "b")).added == 0

    figures = compare({"vault import": fresh, "the same again": again})
    show(f"import {MESSAGES:,} messages", figures, "aim at 20,000 messages/s")
    rate(figures, MESSAGES, "messages")
