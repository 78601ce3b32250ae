"""The bandwidth limit: on average, and never in long bursts."""

from hypothesis import given
from hypothesis import strategies as st

from backup.copies.throttle import BURST_S, Throttle


class Clock:
    """Time that goes on only by sleeping, and when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, duration_s: float) -> None:
        assert duration_s > 0
        self.now += duration_s


@given(st.integers(1024, 1 << 30), st.lists(st.tuples(st.integers(1, 1 << 20), st.floats(0, 30)), max_size=30))
def test_no_stretch_of_time_lets_more_through_than_the_rate_and_one_burst(
    rate: int, sent: list[tuple[int, float]]
) -> None:
    clock = Clock()
    throttle = Throttle(rate, clock=clock, sleep=clock.sleep)
    done = []
    for count, pause_s in sent:
        clock.now += pause_s
        begun = clock.now
        throttle(count)
        done.append((begun, clock.now, count))
    for first in range(len(done)):
        for last in range(first, len(done)):
            elapsed = done[last][1] - done[first][0]
            assert sum(count for _, _, count in done[first : last + 1]) <= rate * (elapsed + BURST_S) * 1.001 + 1


def test_without_a_limit_nothing_waits() -> None:
    clock = Clock()
    throttle = Throttle(None, clock=clock, sleep=clock.sleep)
    throttle(1 << 40)
    assert clock.now == 100.0
    assert throttle.piece == 1 << 20


def test_pieces_are_small_where_the_limit_is_low() -> None:
    assert Throttle(8000).piece == 4096
    assert Throttle(1 << 30).piece == 1 << 20
