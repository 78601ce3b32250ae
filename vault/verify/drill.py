"""The drill's extra check: the audit log in a restored backup is the beginning of the log that was signed."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Protocol

import pymysql

from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.progress import Silent
from opsctl.core.result import Outcome, Result
from opsctl.core.verdict import Verdict
from vault.verify.checkpoints import Custody
from vault.verify.run import Scope, Verified, verify

TITLE = "audit chain of the vault"
EXPECTED = "the restored log is unbroken and agrees with every checkpoint that it is long enough for"


class RestoredServer(Protocol):
    """A server on what was restored."""

    def connect(self, *, database: str | None = None) -> "pymysql.Connection[Any]":
        """Connect as its administrator."""
        ...


class Step(Protocol):
    """What a step of the restore came to."""

    def need(self) -> Any:
        """Its value, a RestoredServer. Raises OpsError when an earlier step failed."""
        ...


class WithServer(Protocol):
    """A restore in progress, as far as this check looks at it."""

    @property
    def server(self) -> Any:
        """The Step that started the server; None before."""
        ...


class AuditChainCheck:
    """Judges the log of the vault `database` on the restored server."""

    id = "vault.audit_chain"
    title = TITLE

    def __init__(self, database: str, custody: Custody) -> None:
        self._database = database
        self._custody = custody

    def run(self, restored: WithServer) -> Result:
        """Judge what was restored."""
        return audit_chain_check(restored, self._database, self._custody)


def audit_chain_check(restored: WithServer, database: str, custody: Custody) -> Result:
    """Judge the restored log; failed or could_not_run are results, and nothing but defects is raised."""
    started = time.monotonic()
    hint: str | None = None
    figures: dict[str, Any] = {}
    try:
        step: Step | None = restored.server
        if step is None:
            raise OpsError("no server was started")
        server: RestoredServer = step.need()
        found = _verify(server, database, custody)
        outcome, text = _outcome(found)
        figures = {"rows": found.state.size, "pinned": found.state.pinned}
        if outcome is not Outcome.PASSED:
            hint = "opsctl vault verify --full on the host; then compare the checkpoints off the box"
    except IntegrityError as error:
        outcome, text, hint = Outcome.FAILED, str(error), error.hint or "opsctl vault verify --full"
    except OpsError as error:
        outcome, text, hint = Outcome.COULD_NOT_RUN, str(error), error.hint or "look at the checks before this one"
    return Result(
        id=AuditChainCheck.id,
        title=TITLE,
        outcome=outcome,
        expected=EXPECTED,
        found=text,
        figures=figures,
        hint=hint,
        duration_s=time.monotonic() - started,
    )


def _verify(server: RestoredServer, database: str, custody: Custody) -> Verified:
    @contextlib.contextmanager
    def connect() -> Iterator[Connection]:
        try:
            with server.connect(database=database) as connection:
                rows(connection, "SET SESSION time_zone = '+00:00'")
                yield connection
        except pymysql.err.MySQLError as error:
            raise OpsError(f"the restored server says: {error.args[-1]}") from error

    return verify(connect, custody, Scope(full=True, may_be_older=True), Silent())


def _outcome(found: Verified) -> tuple[Outcome, str]:
    state = found.state
    if state.broken is not None:
        return Outcome.FAILED, state.broken.what
    if state.verdict is Verdict.UNPINNED:
        return Outcome.COULD_NOT_RUN, f"{state.size} rows, unbroken; there is no checkpoint to hold them against"
    text = f"{state.size} rows, the first {state.pinned} pinned by a checkpoint"
    if found.newest is not None and found.newest.size > state.size:
        text += f"; rows that are newer than this backup: {found.newest.size - state.size}"
    return Outcome.PASSED, text
