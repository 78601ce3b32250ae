"""Kind `state`: something that is not as it has to be, or that changed."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from pydantic import Field, model_validator

from anomaly_rules.grid import Grid, Numbers, Values
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.spec import RuleSpec
from anomaly_rules.statistics import trailing
from anomaly_rules.words import moment, quantity
from opsctl.core.rule import Evidence, Labels, MetricId, Series, Verdict


class Parameters(Params):
    """What `[rules.params]` of kind `state` may say."""

    healthy: tuple[float, ...] = Field((), description="The values that are in order, such as [1].")
    unchanged_days: int | None = Field(
        None, ge=1, description="Instead: any change is a finding, for this many days (fingerprints, versions)."
    )
    times: int = Field(1, ge=1, description="So many periods in a row have to be out of order.")

    @model_validator(mode="after")
    def _has_one_test(self) -> "Parameters":
        if bool(self.healthy) == (self.unchanged_days is not None):
            raise ValueError("needs either `healthy` or `unchanged_days`")
        return self


class State(EachSeries[Parameters]):
    """Not in a healthy state, or changed lately."""

    @property
    def reach_days(self) -> int:
        """Before a change has to be a value that it changed from."""
        return max(8, 2 * (self.params.unchanged_days or 0) + 7)

    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge the newest value, or the changes of late."""
        known = np.flatnonzero(~np.isnan(laid.values))
        values = laid.values[known]
        if self.params.unchanged_days is not None:
            return self._changes(laid, known, values, labels, at)
        wrong = ~np.isin(values, self.params.healthy)
        run = trailing(wrong)
        evidence = Evidence(
            value=float(values[-1]),
            expected=self.params.healthy[0],
            since=laid.time(int(known[-run])) if run else None,
            recent=laid.recent(),
        )
        if run >= self.params.times:
            should = " or ".join(quantity(value, self.metric.unit) for value in self.params.healthy)
            found = quantity(float(values[-1]), self.metric.unit)
            sentence = f"{self.metric.title} is {found} and has to be {should}"
            return self.finding(sentence, labels, evidence)
        return self.quiet(f"{self.metric.title} is as it has to be", labels, evidence)

    def _changes(self, laid: Grid, known: Numbers, values: Values, labels: Labels, at: datetime) -> Verdict:
        changes = np.flatnonzero(values[1:] != values[:-1]) + 1
        lately = [
            int(index)
            for index in changes
            if (at - laid.time(int(known[index]))).total_seconds() < (self.params.unchanged_days or 0) * 86400
        ]
        evidence = Evidence(value=float(values[-1]), recent=laid.recent())
        if not lately:
            return self.quiet(f"{self.metric.title} has not changed", labels, evidence)
        first = lately[0]
        since = laid.time(int(known[first]))
        evidence = evidence.model_copy(
            update={"expected": float(values[first - 1]), "since": since, "size": float(len(lately))}
        )
        return self.finding(f"{self.metric.title} changed at {moment(since)}", labels, evidence)


def build(spec: RuleSpec, context: Context) -> State:
    """The rule of a spec. Raises SettingsError."""
    return State(spec, parameters(spec, Parameters), context)
