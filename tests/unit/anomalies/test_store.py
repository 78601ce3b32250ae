"""Samples with every revision: what was known when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anomaly_rules.collectors import Sample, labels, sample
from anomaly_rules.store import Read, SampleStore, Written
from opsctl.core.errors import OpsError
from opsctl.core.rule import MetricId, Series

COST = MetricId("cost.daily")
FIRST = datetime(2026, 5, 1, tzinfo=UTC)
THEN = datetime(2026, 5, 4, 6, tzinfo=UTC)
LATER = datetime(2026, 5, 5, 6, tzinfo=UTC)


def days(*values: float, service: str = "sql") -> list[Sample]:
    return [sample(COST, FIRST + timedelta(days=day), value, service=service) for day, value in enumerate(values)]


def known(store: SampleStore, at: datetime, service: str = "sql") -> Series | None:
    return dict(store.series("bill", COST, since=FIRST, at=at)).get(labels(service=service))


@pytest.fixture
def store(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "samples.sqlite")


def test_a_store_that_is_not_there_holds_nothing_and_is_not_made_by_reading(store: SampleStore) -> None:
    assert known(store, THEN) is None
    assert store.last_reading("bill") is None
    assert not store.path.exists()


def test_what_is_written_twice_is_there_once(store: SampleStore) -> None:
    assert store.write("bill", days(1, 2, 3), known_at=THEN) == Written(3, 0)
    assert store.write("bill", days(1, 2, 3), known_at=LATER) == Written(0, 0)
    found = known(store, LATER)
    assert found is not None
    assert found.values == (1.0, 2.0, 3.0)
    assert found.times[0] == FIRST


def test_a_revised_value_is_the_old_one_for_whoever_asks_what_was_known_before(store: SampleStore) -> None:
    store.write("bill", days(1, 2, 3), known_at=THEN)
    assert store.write("bill", days(1, 2, 9), known_at=LATER) == Written(0, 1)
    before, after = known(store, THEN), known(store, LATER)
    assert before is not None
    assert after is not None
    assert before.values == (1.0, 2.0, 3.0)
    assert after.values == (1.0, 2.0, 9.0)


def test_nothing_is_known_before_it_was_read(store: SampleStore) -> None:
    store.write("bill", days(1, 2, 3), known_at=LATER)
    assert known(store, THEN) is None


def test_what_vanished_from_a_source_that_was_read_whole_is_unknown_from_then_on(store: SampleStore) -> None:
    store.write("bill", [*days(1, 2, 3), *days(7, 7, 7, service="ai")], known_at=THEN)
    second = FIRST + timedelta(days=1)
    left = [each for each in days(1, 2, 3) if each.time >= second]
    store.write("bill", left, known_at=LATER, whole=[COST], since=second)
    ai = known(store, LATER, "ai")
    assert ai is not None
    assert ai.values == (7.0,)
    earlier = known(store, THEN, "ai")
    assert earlier is not None
    assert earlier.values == (7.0, 7.0, 7.0)


def test_a_source_that_is_read_whole_leaves_other_sources_alone(store: SampleStore) -> None:
    store.write("bill", days(1, 2), known_at=THEN)
    store.write("other", [], known_at=LATER, whole=[COST], since=FIRST)
    found = known(store, LATER)
    assert found is not None
    assert found.values == (1.0, 2.0)


def test_what_was_read_by_a_clock_that_ran_ahead_is_known_again_once_it_is_set_back(store: SampleStore) -> None:
    store.write("bill", days(1, 2), known_at=datetime(2031, 1, 1, tzinfo=UTC))
    assert known(store, THEN) is None
    store.write("bill", days(1, 2), known_at=THEN)
    found = known(store, THEN)
    assert found is not None
    assert found.values == (1.0, 2.0)


def test_what_is_no_number_is_not_kept(store: SampleStore) -> None:
    assert store.write("bill", days(1, float("nan"), float("inf")), known_at=THEN) == Written(1, 0)


def test_old_samples_and_readings_are_forgotten(store: SampleStore) -> None:
    store.write("bill", days(1, 2, 3), known_at=THEN)
    store.note(Read("bill", THEN, THEN))
    assert store.forget(FIRST + timedelta(days=2)) == 2
    found = known(store, LATER)
    assert found is not None
    assert found.values == (3.0,)
    store.forget(LATER)
    assert store.last_reading("bill") is None


def test_a_reading_says_how_the_source_was_at_a_time(store: SampleStore) -> None:
    store.note(Read("bill", THEN, THEN, None, ("one row stands twice",)))
    store.note(Read("bill", LATER, THEN, "there is no file"))
    assert store.last_reading("bill", THEN) == Read("bill", THEN, THEN, None, ("one row stands twice",))
    newest = store.last_reading("bill")
    assert newest is not None
    assert newest.why == "there is no file"
    assert newest.read_until == THEN


def test_a_file_of_another_format_is_refused(store: SampleStore) -> None:
    import contextlib
    import sqlite3

    store.write("bill", days(1), known_at=THEN)
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        db.execute("UPDATE form SET format = 99")
    with pytest.raises(OpsError, match="format 99"):
        known(store, THEN)


def test_a_file_that_is_no_store_is_an_error_that_names_it(store: SampleStore) -> None:
    store.path.write_bytes(b"no database at all, but long enough to be read as one" * 10)
    with pytest.raises(OpsError, match="cannot be used") as raised:
        store.write("bill", days(1), known_at=THEN)
    assert raised.value.where == str(store.path)
