"""External uptime: addresses asked for again and again, from another machine than the one that serves them."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from opsctl.core.clock import utcnow
from opsctl.core.ledger import Ledger
from opsctl.core.notify.outbox import Trouble
from opsctl.core.record import Record
from opsctl.core.result import Outcome, Result
from opsctl.core.rule import Severity
from opsctl.core.runner import LocalRunner
from opsctl.health.records import AVAILABILITY, VERSION, AvailabilityBody, Outage
from opsctl.health.settings import VisitSection
from opsctl.health.visit import visit_probe

SCOPE = "watch"
AT_ONCE = 8
MOST_OUTAGES = 100
# One bad answer may be a packet; two in a row are trouble.
IN_A_ROW = 2


@dataclass
class Tally:
    """What was seen of one address so far; flat, however long it goes on."""

    url: str
    began: datetime
    samples: int = 0
    good: int = 0
    unknown: int = 0
    slowest_s: float = 0.0
    bad_in_a_row: int = 0
    outages: list[Outage] = field(default_factory=list)
    _open: bool = False

    def count(self, result: Result, at: datetime) -> None:
        """Take in one sample."""
        self.samples += 1
        if result.outcome is Outcome.COULD_NOT_RUN:
            self.unknown += 1
            return
        if result.passed:
            self.good += 1
            self.slowest_s = max(self.slowest_s, result.duration_s)
            self._open, self.bad_in_a_row = False, 0
            return
        self.bad_in_a_row += 1
        if self._open:
            last = self.outages[-1]
            self.outages[-1] = last.model_copy(update={"until": at, "samples": last.samples + 1})
        elif len(self.outages) < MOST_OUTAGES:
            self.outages.append(Outage(since=at, until=at, samples=1, why=result.found))
            self._open = True

    def body(self) -> AvailabilityBody:
        """What was seen, for the record."""
        judged = self.samples - self.unknown
        return AvailabilityBody(
            url=self.url,
            samples=self.samples,
            good=self.good,
            unknown=self.unknown,
            availability=self.good / judged if judged else None,
            slowest_s=round(self.slowest_s, 4),
            outages=tuple(self.outages),
        )


def watch(
    visits: Sequence[VisitSection],
    *,
    stack: str,
    ledger: Ledger,
    samples: int,
    every_s: float,
    hear: Callable[[Sequence[Trouble]], None],
) -> tuple[AvailabilityBody, ...]:
    """Ask each address `samples` times, every `every_s` seconds, and record how available each was.

    `hear` is called after each round with all trouble there is then. What was seen is recorded too when the watch is
    interrupted. Raises OpsError when the ledger cannot be written.
    """
    tallies = [Tally(visit.url, utcnow()) for visit in visits]
    probes = [visit_probe(visit, certificate_days=0, maintenance=None) for visit in visits]
    runner, begin = LocalRunner(), time.monotonic()
    try:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="watch") as pool:
            for number in range(samples):
                time.sleep(max(0.0, begin + number * every_s - time.monotonic()))
                results = list(pool.map(lambda probe: probe.run(runner), probes))
                at = utcnow()
                for tally, result in zip(tallies, results, strict=True):
                    tally.count(result, at)
                hear([_down(tally) for tally in tallies if tally.bad_in_a_row >= min(IN_A_ROW, samples)])
    finally:
        bodies = tuple(tally.body() for tally in tallies)
        for tally, body in zip(tallies, bodies, strict=True):
            if body.samples:
                ledger.append(_record(stack, tally.began, body))
    return bodies


def outcome_of(body: AvailabilityBody) -> Outcome:
    """Passed when every sample that says something was good; it could not run when none says anything."""
    if body.availability is None:
        return Outcome.COULD_NOT_RUN
    return Outcome.PASSED if body.good + body.unknown == body.samples else Outcome.FAILED


def _down(tally: Tally) -> Trouble:
    last = tally.outages[-1]
    return Trouble(
        fingerprint=f"{SCOPE}/{tally.url}",
        severity=Severity.CRITICAL,
        title=f"{tally.url} does not answer as it should",
        text=f"{last.why}\nSince {last.since:%Y-%m-%d %H:%M:%S} UTC, seen from outside.\nTry: curl -v {tally.url}",
    )


def _record(stack: str, began: datetime, body: AvailabilityBody) -> Record[AvailabilityBody]:
    return Record(
        kind=AVAILABILITY,
        version=VERSION,
        subject=stack,
        started=began,
        finished=utcnow(),
        outcome=outcome_of(body),
        fresh_until=None,
        body=body,
    )
