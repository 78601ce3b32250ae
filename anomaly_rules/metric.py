"""Metrics: what is measured, how often, and when a value can be trusted."""

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from opsctl.core.rule import MetricId


class Cadence(StrEnum):
    """How often a metric has a value."""

    DAILY = "daily"
    HOURLY = "hourly"

    @property
    def step(self) -> timedelta:
        """The time from one value to the next."""
        return timedelta(days=1) if self is Cadence.DAILY else timedelta(hours=1)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone '{name}'; write it like Asia/Kolkata") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]


class Metric(BaseModel):
    """One metric. Its series are told apart by labels (a service, a site, a stage).

    A value's time is the *beginning* of its period in UTC: of an hourly value the full hour, of a daily value 00:00 UTC
    of the date by which the day is called, also where the day begins at another instant (`zone`).

    A `sum` adds up what happened in the period (money, calls, rows); a `gauge` was found in it (bytes used, rows
    waiting, 0 or 1; the last one counts) and is judged at once, not only when the period has ended. With `absent` =
    "zero", a period for which the source was read and had nothing counts as 0. `settle_days` is how many days after the
    period's end values still grow, as billing data do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: MetricId = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")
    title: str
    cadence: Cadence
    unit: str = Field("", description="The unit as it is shown: USD, bytes, s, calls; empty for a bare number.")
    form: Literal["sum", "gauge"] = "sum"
    absent: Literal["zero", "unknown"] = "unknown"
    settle_days: float = Field(0.0, ge=0)
    labels: tuple[str, ...] = ()
    zone: Zone = "UTC"

    def ends(self, beginning: datetime) -> datetime:
        """The end (UTC) of the period that begins at a value's time."""
        if self.cadence is Cadence.HOURLY or self.zone == "UTC":
            return beginning + self.cadence.step
        next_day = beginning.date() + timedelta(days=1)
        return datetime.combine(next_day, time(), ZoneInfo(self.zone)).astimezone(UTC)

    def usable(self, beginning: datetime, at: datetime) -> bool:
        """Whether a period can be judged at a time (UTC): a sum when it has ended, a gauge from its beginning."""
        return (beginning if self.form == "gauge" else self.ends(beginning)) <= at

    def settled(self, beginning: datetime, at: datetime) -> bool:
        """Whether the value of a period is final at a time (UTC)."""
        return self.ends(beginning) + timedelta(days=self.settle_days) <= at
