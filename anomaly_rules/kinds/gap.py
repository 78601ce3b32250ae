"""Kind `gap`: silence for longer than the series' own rhythm explains (anomaly_rules/silence.py)."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from anomaly_rules.grid import Grid
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.metric import Cadence
from anomaly_rules.silence import WEEKS, silence
from anomaly_rules.spec import RuleSpec
from anomaly_rules.words import moment, quantity
from opsctl.core.errors import SettingsError
from opsctl.core.rule import Evidence, Labels, MetricId, Series, Verdict


class Parameters(Params):
    """What `[rules.params]` of kind `gap` may say."""

    chance: float = Field(3e-5, gt=0, lt=0.1, description="Silences less likely than this are findings.")
    share: float = Field(0.0, ge=0, lt=0.5, description="An hour with less than this share of its usual is silent.")
    min_hours: int = Field(1, ge=1, description="Shorter silences never are findings.")


class Gap(EachSeries[Parameters]):
    """Nothing for too long."""

    @property
    def min_history_days(self) -> int:
        """Two of each weekday."""
        return 14

    @property
    def reach_days(self) -> int:
        """As many weeks as make the expected counts."""
        return WEEKS * 7 + 2

    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge the silence at the end."""
        found = silence(laid, self.context.holidays, self.params.share)
        if found is None:
            return self.too_young(len(laid) / 24, labels)
        since = laid.time(-found.hours) if found.hours else None
        evidence = Evidence(
            value=0.0 if found.hours else float(laid.values[-1]),
            expected=found.expected,
            since=since,
            size=max(1.0, found.surprise / 5.0),
            recent=laid.recent(48),
        )
        title, unit = self.metric.title, self.metric.unit
        if since is None:
            return self.quiet(f"{title}: the last came within the hour", labels, evidence)
        what = f"{title}: next to nothing since {moment(since)}, for {found.hours} h"
        expected = f"{quantity(round(found.expected, 1), unit)} expected"
        if found.hours >= self.params.min_hours and found.odd(self.params.chance):
            chance = f"a chance of 1 in 10^{found.surprise:.0f}"
            return self.finding(f"{what}; {expected}, {chance}", labels, evidence)
        return self.quiet(f"{what}; {expected}, as the rhythm explains", labels, evidence)


def build(spec: RuleSpec, context: Context) -> Gap:
    """The rule of a spec. Raises SettingsError."""
    if context.metrics[spec.metric].cadence is not Cadence.HOURLY:
        raise SettingsError(
            f"rule '{spec.id}' looks for gaps in '{spec.metric}', which has one value a day",
            hint="use kind flatline, or an hourly metric",
        )
    return Gap(spec, parameters(spec, Parameters), context)
