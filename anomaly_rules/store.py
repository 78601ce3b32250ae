"""Samples in one SQLite file (WAL): every value with every revision of it, and how each source was at each reading.

Nothing is overwritten: a value that is read again and is another one gets a new row, with the time at which it became
known. So a series can be read as it was known at any time, which is what a rule saw then.
"""

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from anomaly_rules.collectors import Sample
from opsctl.core.durable import locked_directory, unwritable
from opsctl.core.errors import OpsError
from opsctl.core.rule import Labels, MetricId, Series, SeriesId

FORMAT = 1
BUSY_TIMEOUT_S = 30.0
_FOR_EVER = 1 << 40

Value = float | None
"""A value, or None: it was there, and is no more."""

_SCHEMA = """
CREATE TABLE form (format INTEGER NOT NULL);
CREATE TABLE series (
  id INTEGER PRIMARY KEY, collector TEXT NOT NULL, metric TEXT NOT NULL, labels TEXT NOT NULL,
  UNIQUE (metric, labels, collector)
);
CREATE TABLE revision (
  seq INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series (id), time INTEGER NOT NULL, value REAL,
  known_at REAL NOT NULL
);
CREATE INDEX revision_by_time ON revision (series, time, seq, known_at, value);
CREATE TABLE reading (
  seq INTEGER PRIMARY KEY, collector TEXT NOT NULL, at REAL NOT NULL, read_until REAL, why TEXT, notes TEXT NOT NULL,
  memory TEXT NOT NULL
);
CREATE INDEX reading_by_collector ON reading (collector, seq);
"""


@dataclass(frozen=True)
class Read:
    """One reading of a source. `why` says what kept it from being read; `read_until` is how far it ever was (UTC).

    `memory` is what the collector wants to know at its next reading.
    """

    collector: str
    at: datetime
    read_until: datetime | None
    why: str | None = None
    notes: tuple[str, ...] = ()
    memory: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """What a write changed: values that are new, and values that were revised."""

    added: int
    revised: int


class SampleStore:
    """The file. Readers never wait, and a file that is not there holds nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(
        self,
        collector: str,
        samples: Iterable[Sample],
        *,
        known_at: datetime,
        whole: Iterable[MetricId] = (),
        since: datetime | None = None,
    ) -> Written:
        """Keep a collector's samples; those that are there already change nothing.

        Of the metrics `whole`, the samples are all there is from `since` on: what is stored of this collector there and
        not among them is gone from the source, and from now on unknown.
        """
        values = {(each.series, _epoch(each.time)): each.value for each in samples if math.isfinite(each.value)}
        with self._writing() as db:
            ids = {series: _series_id(db, collector, series) for series in {series for series, _ in values}}
            wanted: dict[tuple[int, int], Value] = {(ids[series], at): value for (series, at), value in values.items()}
            if since is not None:
                wanted = dict.fromkeys(_whole(db, collector, whole, since, known_at)) | wanted
            stored = _stored(db, wanted, known_at)
            changed = {key: value for key, value in wanted.items() if key not in stored or stored[key] != value}
            rows = [(series, time, value, known_at.timestamp()) for (series, time), value in changed.items()]
            db.executemany("INSERT INTO revision (series, time, value, known_at) VALUES (?, ?, ?, ?)", rows)
        revised = sum(1 for key in changed if key in stored)
        return Written(len(changed) - revised, revised)

    def note(self, read: Read) -> None:
        """Keep how a source was."""
        until = None if read.read_until is None else read.read_until.timestamp()
        with self._writing() as db:
            db.execute(
                "INSERT INTO reading (collector, at, read_until, why, notes, memory) VALUES (?, ?, ?, ?, ?, ?)",
                (*(read.collector, read.at.timestamp(), until, read.why), *map(json.dumps, (read.notes, read.memory))),
            )

    def series(
        self, collector: str, metric: MetricId, *, since: datetime, at: datetime
    ) -> Iterator[tuple[Labels, Series]]:
        """A collector's series of a metric as they were known at `at`: periods that began in [since, at]."""
        with self._reading() as db:
            if db is None:
                return
            for number, text in _series_of(db, collector, metric):
                known = _known(db, number, _epoch(since), _epoch(at), at)
                pairs = [(time, value) for time, value in known if value is not None]
                if pairs:
                    times = tuple(datetime.fromtimestamp(time, UTC) for time, _ in pairs)
                    yield _labels(text), Series(times, tuple(value for _, value in pairs))

    def labels(self, collector: str, metric: MetricId) -> frozenset[Labels]:
        """The labels of all series of a metric that a collector ever had."""
        with self._reading() as db:
            return (
                frozenset() if db is None else frozenset(_labels(text) for _, text in _series_of(db, collector, metric))
            )

    def last_reading(self, collector: str, at: datetime | None = None, *, good: bool = False) -> Read | None:
        """The newest reading of a source, made at or before a time (UTC); with `good`, the newest that succeeded."""
        limit = math.inf if at is None else at.timestamp()
        only = "AND why IS NULL" if good else ""
        with self._reading() as db:
            if db is None:
                return None
            row = db.execute(
                "SELECT at, read_until, why, notes, memory FROM reading "  # noqa: S608 - fixed words
                f"WHERE collector = ? AND at <= ? {only} ORDER BY seq DESC LIMIT 1",
                (collector, limit),
            ).fetchone()
        if row is None:
            return None
        until = None if row[1] is None else datetime.fromtimestamp(row[1], UTC)
        notes, memory = (json.loads(text) for text in row[3:])
        return Read(collector, datetime.fromtimestamp(row[0], UTC), until, row[2], tuple(notes), memory)

    def forget(self, before: datetime) -> int:
        """Delete what began, and readings that were made, before a time; return how many values went."""
        with self._writing() as db:
            gone = db.execute("DELETE FROM revision WHERE time < ?", (_epoch(before),)).rowcount
            db.execute("DELETE FROM reading WHERE at < ?", (before.timestamp(),))
            db.execute("DELETE FROM series WHERE id NOT IN (SELECT series FROM revision)")
        return gone

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            if not self.path.exists():
                _create(self.path)
            with contextlib.closing(_connect(self.path)) as db:
                db.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes, the next reading brings back
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        if not self.path.exists():
            yield None
            return
        with self._explained(), contextlib.closing(_connect(self.path)) as db:
            db.execute("PRAGMA query_only = ON")
            yield db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OpsError(
                f"the samples cannot be used: {error}",
                where=str(self.path),
                hint=f"make room and look at its owner: df -h {self.path.parent}; ls -l {self.path}",
            ) from error


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        (form,) = db.execute("SELECT format FROM form").fetchone()
        if form != FORMAT:
            raise OpsError(f"the samples have format {form}, this opsctl knows {FORMAT}", hint="use a newer opsctl")
    except BaseException:
        db.close()
        raise
    return db


def _create(path: Path) -> None:
    """Make an empty file under another name and rename it, so that none is ever seen half-made."""
    fresh = path.with_name(f".{path.name}.fresh")
    with locked_directory(path.parent):
        if path.exists():
            return
        try:
            for left in path.parent.glob(f"{fresh.name}*"):
                left.unlink()
            with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as db:
                db.executescript("PRAGMA journal_mode = WAL;" + _SCHEMA)
                db.execute("INSERT INTO form VALUES (?)", (FORMAT,))
            fresh.chmod(0o640)
            fresh.rename(path)
        except OSError as error:
            raise unwritable(error, path) from error


def _series_id(db: sqlite3.Connection, collector: str, series: SeriesId) -> int:
    key = (collector, series.metric, json.dumps(series.labels, ensure_ascii=False))
    wanted = "collector = ? AND metric = ? AND labels = ?"
    db.execute("INSERT OR IGNORE INTO series (collector, metric, labels) VALUES (?, ?, ?)", key)
    found: int = db.execute(f"SELECT id FROM series WHERE {wanted}", key).fetchone()[0]  # noqa: S608 - fixed words
    return found


def _series_of(db: sqlite3.Connection, collector: str, metric: MetricId) -> list[tuple[int, str]]:
    found = db.execute("SELECT id, labels FROM series WHERE metric = ? AND collector = ?", (metric, collector))
    return found.fetchall()


def _stored(
    db: sqlite3.Connection, keys: Iterable[tuple[int, int]], known_at: datetime
) -> dict[tuple[int, int], Value]:
    """What was known of these (series, time) at a time; a clock that was set back must not hide what is read again."""
    reach: dict[int, tuple[int, int]] = {}
    for series, time in keys:
        first, last = reach.get(series, (time, time))
        reach[series] = min(first, time), max(last, time)
    return {
        (series, time): value
        for series, (first, last) in reach.items()
        for time, value in _known(db, series, first, last, known_at)
    }


def _whole(
    db: sqlite3.Connection, collector: str, metrics: Iterable[MetricId], since: datetime, known_at: datetime
) -> Iterator[tuple[int, int]]:
    """All (series, time) of a collector's metrics that have a value from a time on."""
    for metric in metrics:
        for series, _ in _series_of(db, collector, metric):
            for time, value in _known(db, series, _epoch(since), _FOR_EVER, known_at):
                if value is not None:
                    yield series, time


def _known(
    db: sqlite3.Connection, series: int, first: int, last: int, known_at: datetime
) -> Iterator[tuple[int, Value]]:
    """The newest revision of each value that was known at a time."""
    for time, value, _ in db.execute(
        "SELECT time, value, max(seq) FROM revision WHERE series = ? AND time BETWEEN ? AND ? AND known_at <= ? "
        "GROUP BY time ORDER BY time",
        (series, first, last, known_at.timestamp()),
    ):
        yield time, value


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def _labels(text: str) -> Labels:
    return tuple((name, value) for name, value in json.loads(text))
