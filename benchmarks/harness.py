"""How figures are taken: all contenders in turn, several rounds, medians, ratios to the first."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One contender: its name, the seconds of each round, their median, and the ratio of medians to the baseline."""

    name: str
    seconds: tuple[float, ...]
    median: float
    ratio: float


def compare(contenders: Mapping[str, Callable[[], object]], *, rounds: int = 3, warm_up: bool = True) -> list[Figure]:
    """Time each contender once a round, in turn, so that a slow minute of the machine hits all of them alike.

    The first one is the baseline. A contender may return the seconds it took, when part of it must not count.
    """
    if warm_up:
        for run in contenders.values():
            run()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            own = run()
            times[name].append(own if isinstance(own, float) else time.perf_counter() - started)
    base = statistics.median(next(iter(times.values())))
    return [
        Figure(name, tuple(seconds), statistics.median(seconds), statistics.median(seconds) / base)
        for name, seconds in times.items()
    ]


def show(title: str, figures: list[Figure], aim: str) -> None:
    """Print a comparison as a table."""
    print(f"\n{title}  ({aim})")
    for figure in figures:
        rounds = " ".join(f"{each:.3f}" for each in figure.seconds)
        print(f"  {figure.name:<44} {figure.median:8.3f} s   {figure.ratio:5.2f} ×   [{rounds}]")
