"""Rules: what judges series of measurements, and what it says about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

MetricId = NewType("MetricId", str)


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


@dataclass(frozen=True)
class Series:
    """Measurements of one metric: UTC times, ascending and without repetition, and their values."""

    times: tuple[datetime, ...]
    values: tuple[float, ...]


class Verdict(BaseModel):
    """What a rule says at one moment: a sentence for a person, and the figures behind it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judgement: Judgement
    sentence: str
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
        """The metrics it reads."""
        ...

    @property
    def min_history_days(self) -> int:
        """Days of measurements without which it cannot judge."""
        ...

    def evaluate(self, series: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge what was known at a time (UTC); what was measured later is not looked at."""
        ...
