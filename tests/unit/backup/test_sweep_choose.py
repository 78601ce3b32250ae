"""Every archive is read within a month of daily runs, whatever arrives, and whatever the percentage."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backup.codec import Sealed
from backup.sweep.choose import WITHIN, Archive, choose, looked_at

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def archive(key: str, size: int, arrived: datetime) -> Archive:
    return Archive(key, Sealed(plain_size=1, plain_sha256="", cipher_size=size, cipher_sha256=""), arrived)


@given(
    st.lists(st.tuples(st.integers(0, 70), st.integers(1, 1 << 40)), min_size=1, max_size=60),
    st.floats(0, 100),
)
def test_nothing_waits_longer_than_a_month(arrivals: list[tuple[int, int]], percent: float) -> None:
    last: dict[str, datetime] = {}
    everything = [archive(str(n), size, NOW + DAY * day) for n, (day, size) in enumerate(arrivals)]
    for day in range(120):
        now = NOW + DAY * day
        there = [each for each in everything if each.arrived <= now]
        chosen = choose(there, last, percent, now)
        total = sum(each.sealed.cipher_size for each in there)
        assert sum(each.sealed.cipher_size for each in chosen) >= total * percent / 100 * 0.999
        last |= dict.fromkeys((each.key for each in chosen), now)
        assert all(now - looked_at(each, last, now) <= WITHIN for each in there)


def test_what_was_not_read_for_longest_comes_first_and_no_more_is_read_than_asked_for() -> None:
    archives = [archive(str(age), 100, NOW - DAY * age) for age in range(20)]
    assert [each.key for each in choose(archives, {}, 10, NOW)] == ["19", "18"]
    assert choose(archives, {}, 0, NOW) == []
    assert [each.key for each in choose(archives, {"19": NOW}, 5, NOW)] == ["18"]
    assert len(choose(archives, {}, 100, NOW)) == 20


def test_what_a_clock_that_ran_ahead_has_dated_is_read_again() -> None:
    late = NOW + timedelta(days=4000)
    archives = [archive("new", 1, NOW), archive("odd", 1, NOW - DAY * 40)]
    assert [each.key for each in choose(archives, {"odd": late}, 0, NOW)] == ["odd"]
    assert [each.key for each in choose([archive("odd", 1, late)], {}, 0, NOW)] == ["odd"]
