"""The outbox: what is to be told, to whom, and what was told before, in one SQLite file.

Trouble has a fingerprint. It is told when it begins, and again once a day while it lasts; its end is told once. What
comes back within that day is told once more, with the notice that it comes and goes, and then no more until it has
stayed away, or lasted, for a day: nobody is left to believe that all is well, and nobody is woken every five minutes.
"""

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from opsctl.core.durable import unwritable
from opsctl.core.errors import OpsError
from opsctl.core.notify.troubles import BACK, ENDED, Telling, better, worse
from opsctl.core.room import full
from opsctl.core.rule import Severity

BUSY_TIMEOUT_S = 10.0
LEASE = timedelta(minutes=5)
KEPT = timedelta(days=90)
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trouble (
  fingerprint TEXT PRIMARY KEY, scope TEXT NOT NULL, severity TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
  phase TEXT NOT NULL, told TEXT NOT NULL, seen TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
  id INTEGER PRIMARY KEY, created TEXT NOT NULL, target TEXT NOT NULL, severity TEXT NOT NULL, ended INTEGER NOT NULL,
  title TEXT NOT NULL, text TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next TEXT NOT NULL,
  error TEXT, state TEXT NOT NULL DEFAULT 'waiting'
);
CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (state, next);
"""
_MESSAGE = "id, created, target, severity, ended, title, text, attempts, error"


class Trouble(BaseModel):
    """Something a person has to know: what it is (`fingerprint`, the same every time), and the words for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    severity: Severity
    title: str
    text: str


@dataclass(frozen=True)
class _News:
    severity: Severity
    ended: bool
    title: str
    text: str


@dataclass(frozen=True)
class Message:
    """What one target is to be told. `ended`: it is good news; `created` is UTC; `error` is why it failed last."""

    id: int
    created: datetime
    target: str
    severity: Severity
    ended: bool
    title: str
    text: str
    attempts: int
    error: str | None


class Outbox:
    """One outbox file; several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def hear(
        self,
        scope: str,
        troubles: Sequence[Trouble],
        *,
        targets: dict[Severity, tuple[str, ...]],
        unjudged: Collection[str] = (),
        again: timedelta,
        at: datetime,
    ) -> None:
        """Take in all trouble that there is now in a scope; what is no longer there has ended.

        `unjudged` are fingerprints that could not be looked at: they neither began nor ended. `targets` says who is
        told of what. Raises OpsError when the file cannot be written.
        """
        with self._writing() as db:
            known = {row[0]: row for row in db.execute("SELECT * FROM trouble WHERE scope = ?", (scope,))}
            for trouble in troubles:
                row = known.pop(trouble.fingerprint, None)
                before = None if row is None else Telling(row[5], _moment(row[6]), _moment(row[7]))
                after = worse(before, at=at, again=again)
                _store(db, scope, trouble, after)
                if after.told == at:
                    _put(db, at, targets.get(trouble.severity, ()), _begun(trouble, before, after, again))
            for fingerprint, row in known.items():
                if fingerprint not in unjudged:
                    _settle(db, row, targets, at, again)

    def put(self, target: str, severity: Severity, title: str, text: str, *, at: datetime, alone: bool = False) -> None:
        """Put one message; `alone` takes back what still waits for the same target. Raises OpsError."""
        with self._writing() as db:
            if alone:
                db.execute("DELETE FROM delivery WHERE target = ? AND state = 'waiting'", (target,))
            _put(db, at, (target,), _News(severity, False, title, text))

    def claim(self, at: datetime) -> Message | None:
        """The next message that is due, kept from others for five minutes. Raises OpsError."""
        if not self.path.exists():
            return None
        with self._writing() as db:
            row = db.execute(
                f"SELECT {_MESSAGE} FROM delivery WHERE state = 'waiting' AND next <= ? ORDER BY id LIMIT 1",  # noqa: S608
                (_text(at),),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE delivery SET next = ? WHERE id = ?", (_text(at + LEASE), row[0]))
            return _message(row)

    def sent(self, message: Message, at: datetime) -> None:
        """A message arrived. Old ones are forgotten. Raises OpsError."""
        with self._writing() as db:
            db.execute(
                "UPDATE delivery SET state = 'sent', attempts = attempts + 1, error = NULL, next = ? WHERE id = ?",
                (_text(at), message.id),
            )
            db.execute("DELETE FROM delivery WHERE state <> 'waiting' AND created < ?", (_text(at - KEPT),))

    def failed(self, message: Message, why: str, *, at: datetime, give_up: timedelta) -> bool:
        """A message did not arrive: it is due again later, twice as late each time. Returns whether it was given up."""
        wait = min(FIRST_WAIT * 2**message.attempts, LONGEST_WAIT)
        over = at - message.created >= give_up
        with self._writing() as db:
            db.execute(
                "UPDATE delivery SET state = ?, attempts = attempts + 1, error = ?, next = ? WHERE id = ?",
                ("given up" if over else "waiting", why, _text(at + wait), message.id),
            )
        return over

    def waiting(self) -> tuple[Message, ...]:
        """What has not arrived yet, oldest first."""
        sql = f"SELECT {_MESSAGE} FROM delivery WHERE state = 'waiting' ORDER BY id"  # noqa: S608 - fixed words
        with self._reading() as db:
            return () if db is None else tuple(_message(row) for row in db.execute(sql))

    def troubles(self) -> tuple[tuple[Trouble, datetime], ...]:
        """What is wrong as far as was told, and since when (UTC) it was last told."""
        with self._reading() as db:
            if db is None:
                return ()
            found = db.execute("SELECT * FROM trouble WHERE phase <> ? ORDER BY told", (ENDED,)).fetchall()
        return tuple((_trouble(row), _moment(row[6])) for row in found)

    def absorb(self, other: "Outbox") -> None:
        """Take over everything from another outbox, which is gone then. Raises OpsError."""
        with self._writing() as db, other._writing() as source:
            for row in source.execute("SELECT * FROM trouble"):
                db.execute("INSERT OR REPLACE INTO trouble VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            for row in source.execute("SELECT * FROM delivery"):
                db.execute("INSERT INTO delivery VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row[1:])
        other.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            with contextlib.closing(_connect(self.path, "rwc")) as db:
                db.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                yield db
                db.execute("COMMIT")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        if not self.path.exists():
            yield None
            return
        with self._explained(), contextlib.closing(_connect(self.path, "ro")) as db:
            yield db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(error, self.path) from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                raise full(self.path.parent, f"{self.path.name} cannot be written") from error
            raise OpsError(
                f"the outbox of messages cannot be used: {error}", where=str(self.path), hint=f"ls -l {self.path}"
            ) from error


def _settle(
    db: sqlite3.Connection,
    row: tuple[str, ...],
    targets: dict[Severity, tuple[str, ...]],
    at: datetime,
    again: timedelta,
) -> None:
    """What was wrong is no longer there."""
    before = Telling(row[5], _moment(row[6]), _moment(row[7]))
    after = better(before, at=at, again=again)
    trouble = _trouble(row)
    if after is None:
        db.execute("DELETE FROM trouble WHERE fingerprint = ?", (trouble.fingerprint,))
    else:
        _store(db, row[1], trouble, after)
    if before.phase != ENDED and after is not None and after.phase == ENDED:
        text = f"It is over since the look at {at:%Y-%m-%d %H:%M} UTC. It was: {trouble.text}"
        news = _News(trouble.severity, True, f"Over: {trouble.title}", text)
        _put(db, at, targets.get(trouble.severity, ()), news)


def _begun(trouble: Trouble, before: Telling | None, after: Telling, again: timedelta) -> _News:
    title, text = trouble.title, trouble.text
    if after.phase == BACK:
        until = after.told + again
        title = f"Again: {title}"
        text += f"\nIt comes and goes; unless that changes you hear of it again after {until:%Y-%m-%d %H:%M} UTC."
    elif before is not None and before.phase != ENDED:
        title = f"Still: {title}"
    return _News(trouble.severity, False, title, text)


def _store(db: sqlite3.Connection, scope: str, trouble: Trouble, telling: Telling) -> None:
    db.execute(
        "INSERT OR REPLACE INTO trouble VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(trouble.fingerprint, scope, trouble.severity.value, trouble.title, trouble.text),
            *(telling.phase, _text(telling.told), _text(telling.seen)),
        ),
    )


def _put(db: sqlite3.Connection, at: datetime, targets: Sequence[str], news: _News) -> None:
    for target in targets:
        db.execute(
            "INSERT INTO delivery (created, target, severity, ended, title, text, next) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (_text(at), target, news.severity.value, int(news.ended), news.title, news.text, _text(at)),
        )


def _trouble(row: tuple[str, ...]) -> Trouble:
    return Trouble(fingerprint=row[0], severity=Severity(row[2]), title=row[3], text=row[4])


def _message(row: tuple[int, str, str, str, int, str, str, int, str | None]) -> Message:
    number, created, target, severity, ended, title, text, attempts, error = row
    return Message(number, _moment(created), target, Severity(severity), bool(ended), title, text, attempts, error)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
