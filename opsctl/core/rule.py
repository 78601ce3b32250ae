"""Rules: what judges series of measurements, and what it says about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

MetricId = NewType("MetricId", str)

Labels = tuple[tuple[str, str], ...]
"""Names and values that tell series of one metric apart, sorted by name."""


class Severity(StrEnum):
    """How soon somebody has to look at a finding."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Judgement(StrEnum):
    """What a rule came to. A rule that lacks data says so; silence is not health."""

    QUIET = "quiet"
    FINDING = "finding"
    COULD_NOT_JUDGE = "could_not_judge"


@dataclass(frozen=True, order=True)
class SeriesId:
    """One series: a metric and the labels that tell it from the metric's others."""

    metric: MetricId
    labels: Labels = ()

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.labels)
        return f"{self.metric}{{{shown}}}" if shown else self.metric


@dataclass(frozen=True)
class Series:
    """Measurements of one series: UTC times, ascending and without repetition, and their values."""

    times: tuple[datetime, ...]
    values: tuple[float, ...]


class Evidence(BaseModel):
    """The figures of a finding, in the metric's unit.

    `value` was found, `expected` is what it should have been, `low` and `high` bound what would have been no finding.
    `since` is when it began (UTC). `size` says how bad it is and compares findings of one rule: 1 is just a finding.
    `recent` are the last values, oldest first, None where nothing was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    since: datetime | None = None
    size: float = 1.0
    recent: tuple[float | None, ...] = ()


class Verdict(BaseModel):
    """What a rule says about one series at one moment: a sentence for a person, and the figures behind it.

    `learning`: it could not judge only because there is too little history yet, which time will mend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    judgement: Judgement
    sentence: str
    labels: Labels = ()
    evidence: Evidence = Evidence()
    learning: bool = False
    figures: dict[str, JsonValue] = {}


class Rule(Protocol):
    """Answers one question about some metrics. It depends on nothing but its arguments."""

    @property
    def id(self) -> str:
        """The rule's name, the same in every release."""
        ...

    @property
    def question(self) -> str:
        """The question it answers, as a person would ask it."""
        ...

    @property
    def severity(self) -> Severity:
        """How soon somebody has to look at its findings."""
        ...

    @property
    def needs(self) -> tuple[MetricId, ...]:
        """The metrics it reads, the one that it judges first."""
        ...

    @property
    def min_history_days(self) -> int:
        """Days of measurements without which it cannot judge."""
        ...

    @property
    def reach_days(self) -> int:
        """Days of measurements that it looks back on at most."""
        ...

    def evaluate(self, series: Mapping[SeriesId, Series], at: datetime) -> tuple[Verdict, ...]:
        """Judge what was known at a time (UTC); what was measured later is not looked at.

        One verdict for each label set that it judged. Never empty: without data, one that says so.
        """
        ...
