"""Kind `labels`: a label that appeared or vanished. A new service on the bill shows here, never in the total."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from pydantic import Field

from anomaly_rules.grid import Flags, Grid, Values, grid
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import SpecRule
from anomaly_rules.metric import Cadence
from anomaly_rules.spec import RuleSpec
from anomaly_rules.words import day_or_hour, quantity
from opsctl.core.errors import SettingsError
from opsctl.core.rule import Evidence, Labels, Series, SeriesId, Verdict

MOST_NAMED = 20
_USUAL_PRESENCE = 0.9


class Parameters(Params):
    """What `[rules.params]` of kind `labels` may say."""

    share: float = Field(0.01, gt=0, lt=1, description="A label below this share of the total is not worth a finding.")
    floor: float = Field(0.0, ge=0, description="Nor is one below this value (the metric's unit).")
    new_days: int = Field(7, ge=1, le=28, description="For so many days a new label is a finding.")
    vanished: bool = Field(True, description="Whether a label that is no longer there is a finding.")


class NewOrVanished(SpecRule[Parameters]):
    """Compares the labels of the newest days with those of the four weeks before."""

    @property
    def min_history_days(self) -> int:
        """Two weeks of other labels show which are usual."""
        return 14

    @property
    def reach_days(self) -> int:
        """Half a year: what appeared seldom is not new."""
        return 180

    def evaluate(self, series: Mapping[SeriesId, Series], at: datetime) -> tuple[Verdict, ...]:
        """One verdict for each label that is new or gone; else one for all that are as they were."""
        own = {
            key.labels: laid
            for key, found in series.items()
            if key.metric == self.spec.metric and len(laid := grid(found, self.metric, at))
        }
        if not own:
            return (self.could_not(f"nothing was measured of {self.metric.title}"),)
        table, first = _table(own)
        days = table.shape[1]
        if days < self.min_history_days + 1:
            return (self.too_young(days),)
        newest = next(iter(own.values())).metric
        last = Grid(newest, first, table.sum(axis=0), max(laid.unsettled for laid in own.values()))
        total = last.values
        found = self._new(own, table, total, last)
        if self.params.vanished:
            found += self._gone(own, table, total, last)
        several = self._together(found)
        calm = f"{self.metric.title}: all {len(own):,} labels are as they were"
        return several or (self.quiet(calm, (), Evidence(recent=last.recent())),)

    def _new(self, own: Mapping[Labels, Grid], table: Values, total: Values, last: Grid) -> list[Verdict]:
        """What is large within the newest days and was never even a tenth of that before them."""
        recent = min(self.params.new_days + last.unsettled, table.shape[1] - self.min_history_days)
        large = self._large(table[:, -recent:], total[-recent:])
        seen = (table[:, :-recent] > 0.1 * self._least(total[:-recent])).any(axis=1)
        verdicts = []
        for index in np.flatnonzero(large.any(axis=1) & ~seen):
            day = int(np.argmax(large[index])) - recent
            value = float(table[index, -recent:].max())
            share = value / float(max(total[day], 1e-12))
            evidence = Evidence(
                value=value, expected=0.0, since=last.time(day), size=1.0 + share, recent=_recent(table[index])
            )
            sentence = (
                f"new in {self.metric.title} since {day_or_hour(last.time(day), daily=True)}: "
                f"{quantity(value, self.metric.unit)} a day, {share * 100:.0f} % of the total"
            )
            verdicts.append(self.finding(sentence, _labels(own, int(index)), evidence))
        return verdicts

    def _gone(self, own: Mapping[Labels, Grid], table: Values, total: Values, last: Grid) -> list[Verdict]:
        """What was there on nearly all of 28 days, and has been next to nothing for two settled days."""
        settled = table.shape[1] - last.unsettled
        quiet_days, usual_days = 2, 28
        cut = max(0, settled - quiet_days - self.params.new_days)
        before = table[:, max(0, cut - usual_days) : cut]
        if before.shape[1] < self.min_history_days:
            return []
        worth = self._large(before, total[max(0, cut - usual_days) : cut]).mean(axis=1) >= _USUAL_PRESENCE
        usual = np.median(before, axis=1)
        absent = (table[:, settled - quiet_days : settled] <= 0.02 * usual[:, None]).all(axis=1)
        others = total[settled - quiet_days : settled].min() > 0  # nothing at all is another rule's finding
        verdicts = []
        for index in np.flatnonzero(worth & absent & bool(others)):
            away = table[index, :settled] > 0.02 * usual[index]
            day = int(np.flatnonzero(away)[-1]) + 1
            value = float(usual[index])
            evidence = Evidence(
                value=0.0,
                expected=value,
                since=last.time(day),
                size=1.0 + value / float(max(np.median(total), 1e-12)),
                recent=_recent(table[index]),
            )
            sentence = (
                f"gone from {self.metric.title} since {day_or_hour(last.time(day), daily=True)}: "
                f"it had {quantity(value, self.metric.unit)} a day"
            )
            verdicts.append(self.finding(sentence, _labels(own, int(index)), evidence))
        return verdicts

    def _least(self, total: Values) -> Values:
        return np.maximum(np.maximum(self.params.share * total, self.params.floor), 1e-12)

    def _large(self, rows: Values, total: Values) -> Flags:
        return rows >= self._least(total)

    def _together(self, found: list[Verdict]) -> tuple[Verdict, ...]:
        """Many at once are one event: a renamed export, a site that was taken over. The largest are named."""
        if len(found) <= MOST_NAMED:
            return tuple(found)
        largest = sorted(found, key=lambda verdict: -verdict.evidence.size)
        names = ", ".join(value for verdict in largest[:3] for _, value in verdict.labels)
        sentence = f"{len(found):,} labels of {self.metric.title} appeared or vanished, {names} the largest of them"
        return (self.finding(sentence, (), largest[0].evidence.model_copy(update={"size": float(len(found))})),)


def _table(own: Mapping[Labels, Grid]) -> tuple[Values, int]:
    """Values by label and day, 0 where there is none; and the number of the first day."""
    first = min(laid.first for laid in own.values())
    last = max(laid.first + len(laid) for laid in own.values())
    table = np.zeros((len(own), last - first))
    for row, laid in zip(table, own.values(), strict=True):
        row[laid.first - first : laid.first - first + len(laid)] = np.nan_to_num(laid.values)
    return table, first


def _labels(own: Mapping[Labels, Grid], index: int) -> Labels:
    return list(own)[index]


def _recent(row: Values) -> tuple[float | None, ...]:
    return tuple(float(value) for value in row[-30:])


def build(spec: RuleSpec, context: Context) -> NewOrVanished:
    """The rule of a spec. Raises SettingsError."""
    if context.metrics[spec.metric].cadence is not Cadence.DAILY:
        raise SettingsError(
            f"rule '{spec.id}' compares the labels of days, and '{spec.metric}' is hourly", hint="use a daily metric"
        )
    return NewOrVanished(spec, parameters(spec, Parameters), context)
