"""The measured recovery point is the worst exposure, the open one included, and never looks better than it was."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backup.catalog import Catalog, LineageRef
from restore_drill.recovery_point import RecoveryPoint, measure

START = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def segment(sealed: float, beat: float | None, before: float | None) -> Any:
    return SimpleNamespace(
        key=f"k{sealed}",
        sealed_at=at(sealed),
        heartbeat=None if beat is None else at(beat),
        heartbeat_before=None if before is None else at(before),
    )


def catalog(*lineages: Sequence[Any], backups: Sequence[tuple[float, float]] = (), late_s: float = 0) -> Catalog:
    """A catalog that says what the test says; `late_s`: how long copies took to arrive."""
    refs = [LineageRef("s", str(number)) for number in range(len(lineages))]
    manifests = {str(i): SimpleNamespace(started=at(a), finished=at(b)) for i, (a, b) in enumerate(backups)}
    sealed = {each.key: each.sealed_at for lineage in lineages for each in lineage}
    store = SimpleNamespace(stat=lambda key: SimpleNamespace(modified=sealed[key] + timedelta(seconds=late_s)))
    return cast(
        Catalog,
        SimpleNamespace(
            lineages=lambda: refs,
            segments=lambda ref: lineages[int(ref.lineage)],
            backup_ids=lambda: sorted(manifests),
            manifest=manifests.__getitem__,
            store=store,
        ),
    )


def measured(found: Catalog, *, now: float, since: float | None = None, off_host: bool = False) -> RecoveryPoint:
    moment = None if since is None else at(since)
    return measure(found, since=moment, now=at(now), off_host=off_host, objective_min=15)


def test_the_worst_span_between_a_heartbeat_and_the_next_arrival_counts() -> None:
    found = measured(
        catalog([segment(0, 0, None), segment(10, 10, 0), segment(35, 35, 10), segment(45, 45, 35)]), now=46
    )
    assert (found.database_s, found.segments, found.met) == (25 * 60, 4, False)
    assert found.newest_heartbeat == at(45)


def test_time_since_the_last_heartbeat_counts_although_nothing_arrived() -> None:
    found = measured(catalog([segment(0, 0, None), segment(10, 10, 0)]), now=3 * 24 * 60)
    assert found.database_s == (3 * 24 * 60 - 10) * 60


def test_only_what_arrived_since_the_previous_drill_counts() -> None:
    found = measured(catalog([segment(0, 0, None), segment(60, 60, 0), segment(70, 70, 60)]), now=71, since=65)
    assert (found.database_s, found.segments, found.met) == (10 * 60, 1, True)


def test_a_heartbeat_that_was_forgotten_makes_it_look_worse() -> None:
    found = measured(catalog([segment(0, 0, None), segment(10, None, 0), segment(20, 20, None)]), now=20)
    assert found.database_s == 20 * 60


def test_a_new_lineage_goes_on_from_the_last_heartbeat_of_the_one_before() -> None:
    found = measured(catalog([segment(0, 0, None), segment(10, 10, 0)], [segment(40, 40, None)]), now=41)
    assert found.database_s == 30 * 60


def test_off_the_host_the_time_of_arrival_counts() -> None:
    segments = [segment(0, 0, None), segment(10, 10, 0)]
    assert measured(catalog(segments, late_s=90), now=11, off_host=True).database_s == 690
    assert measured(catalog(segments, late_s=90), now=11).database_s == 600


def test_files_have_their_own() -> None:
    found = measured(catalog([], backups=[(0, 5), (60, 67), (90, 94)]), now=100)
    assert (found.database_s, found.met) == (None, False)
    assert (found.files_s, found.backups) == (67 * 60, 3)


@pytest.mark.parametrize("late", [0.0, 5.0])
def test_clocks_that_differ_never_give_less_than_nothing(late: float) -> None:
    assert measured(catalog([segment(10, 10, None)]), now=5 + late).database_s == 0
