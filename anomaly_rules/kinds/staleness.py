"""Kind `staleness`: nothing was measured, or nothing happened, for too long."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import Field

from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import SpecRule
from anomaly_rules.spec import RuleSpec
from anomaly_rules.words import moment, quantity
from opsctl.core.rule import Evidence, Labels, Series, SeriesId, Verdict


class Parameters(Params):
    """What `[rules.params]` of kind `staleness` may say."""

    hours: float = Field(gt=0, description="How long it may be quiet, from the end of the last period that counts.")
    events: bool = Field(False, description="Only values above 0 count: something has to have happened.")


class Staleness(SpecRule[Parameters]):
    """Judges the age of the newest value; of a metric that was never measured it cannot say anything."""

    @property
    def reach_days(self) -> int:
        """Longer than it may be quiet, so that the last value is still seen."""
        return max(30, int(self.params.hours / 24 * 4) + 1)

    def evaluate(self, series: Mapping[SeriesId, Series], at: datetime) -> tuple[Verdict, ...]:
        """One verdict for each label set."""
        own = sorted((key, found) for key, found in series.items() if key.metric == self.spec.metric)
        verdicts = [self._judge(key.labels, found, at) for key, found in own if found.times and found.times[0] <= at]
        return tuple(verdicts) or (self.could_not(f"nothing was ever measured of {self.metric.title}"),)

    def _judge(self, labels: Labels, found: Series, at: datetime) -> Verdict:
        counted = [
            time
            for time, value in zip(found.times, found.values, strict=True)
            if time <= at and (not self.params.events or value > 0)
        ]
        what = "happened" if self.params.events else "was measured"
        last = min(self.metric.ends(counted[-1]), at) if counted else None
        age = at - (last or found.times[0])
        limit_s = self.params.hours * 3600
        recent = tuple(value for time, value in zip(found.times, found.values, strict=True) if time <= at)[-30:]
        evidence = Evidence(
            value=age.total_seconds(),
            high=limit_s,
            expected=limit_s,
            since=(last or found.times[0]) + timedelta(seconds=limit_s) if age.total_seconds() > limit_s else None,
            size=max(1.0, age.total_seconds() / limit_s),
            recent=recent,
        )
        if age.total_seconds() <= limit_s:
            return self.quiet(
                f"{self.metric.title}: something {what} {quantity(age.total_seconds(), 's')} ago", labels, evidence
            )
        since = f"since {moment(last)}" if last else "at all"
        sentence = (
            f"{self.metric.title}: nothing {what} {since}, for {quantity(age.total_seconds(), 's')}; "
            f"{quantity(limit_s, 's')} are usual at most"
        )
        return self.finding(sentence, labels, evidence)


def build(spec: RuleSpec, context: Context) -> Staleness:
    """The rule of a spec. Raises SettingsError."""
    return Staleness(spec, parameters(spec, Parameters), context)
