"""Kinds of rules: each a module of this package, with a model of its parameters and a function that makes a rule."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from anomaly_rules.metric import Metric
from anomaly_rules.spec import RuleSpec
from opsctl.core.errors import SettingsError
from opsctl.core.rule import MetricId, Rule


class Params(BaseModel):
    """The base of every kind's parameters; each has a default that suits most series."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Context:
    """What rules know besides samples: the metrics there are, and the days on which business rests."""

    metrics: Mapping[MetricId, Metric]
    holidays: frozenset[date] = field(default=frozenset())


class Kind(Protocol):
    """A module of a kind."""

    Parameters: type[Params]

    def build(self, spec: RuleSpec, context: Context) -> Rule:
        """The rule of a spec. Raises SettingsError."""
        ...


KINDS: Mapping[str, str] = {
    "outlier": "a value far from what its weekday, or its hour of the week, usually has",
    "flatline": "next to nothing where there is always something",
    "shift": "a lasting step, or a slow drift (CUSUM)",
    "gap": "silence for longer than the series' own rhythm explains",
    "labels": "a label that appeared or vanished (a service on the bill, a site)",
    "threshold": "a value, or a ratio of two metrics, above or below a limit",
    "forecast": "a limit that will be crossed soon (Theil-Sen)",
    "staleness": "nothing measured, or nothing happened, for too long",
    "state": "something that is not as it has to be, or that changed",
}
"""Every kind with what it finds."""


def build(spec: RuleSpec, context: Context) -> Rule:
    """Make the rule that a spec describes. Raises SettingsError that names the rule and the mistake."""
    if spec.kind not in KINDS:
        raise SettingsError(
            f"rule '{spec.id}' is of no known kind: '{spec.kind}'", hint=f"there are: {', '.join(KINDS)}"
        )
    _measured(spec, spec.metric, context)
    kind: Kind = importlib.import_module(f"anomaly_rules.kinds.{spec.kind}")
    rule = kind.build(spec, context)
    for metric in rule.needs:
        _measured(spec, metric, context)
    return rule


def _measured(spec: RuleSpec, metric: MetricId, context: Context) -> None:
    if metric not in context.metrics:
        raise SettingsError(
            f"rule '{spec.id}' needs '{metric}', and no source measures that",
            hint="metrics that there are: opsctl anomalies rules --metrics",
        )


def parameters_of(kind: str) -> Iterator[tuple[str, str]]:
    """The parameters of a kind: each name with its meaning and default."""
    module: Kind = importlib.import_module(f"anomaly_rules.kinds.{kind}")
    for name, found in module.Parameters.model_fields.items():
        default = "" if found.is_required() or found.default is None else f" (default {found.default})"
        yield name, f"{(found.description or '').rstrip('.')}{default}"


P = TypeVar("P", bound=Params)


def parameters(spec: RuleSpec, model: type[P]) -> P:
    """Check a spec's parameters against its kind's. Raises SettingsError."""
    try:
        params: dict[str, Any] = dict(spec.params)
        return model(**params)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg'].lower()}" for each in error.errors()
        )
        known = ", ".join(model.model_fields)
        raise SettingsError(f"rule '{spec.id}': {wrong}", hint=f"kind {spec.kind} knows: {known}") from None
