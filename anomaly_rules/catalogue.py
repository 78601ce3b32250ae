"""All rules of a stack: those that come with opsctl and the customer's own, and which have anything to judge."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from anomaly_rules.kinds import Context, build
from anomaly_rules.own import load
from anomaly_rules.settings import AnomaliesSection
from anomaly_rules.spec import RuleSpec
from opsctl.core.errors import SettingsError
from opsctl.core.rule import Rule


@dataclass(frozen=True)
class Idle:
    """A rule that is not run, and why."""

    spec: RuleSpec
    why: str


@dataclass(frozen=True)
class Catalogue:
    """The rules to run; the words of those that are data, by id; and the rules that have nothing to judge here."""

    rules: tuple[Rule, ...]
    specs: Mapping[str, RuleSpec]
    idle: tuple[Idle, ...]

    @property
    def acts(self) -> dict[str, str]:
        """What to do about findings, by rule."""
        return {spec.id: spec.act for spec in self.specs.values()}


def catalogue(
    shipped: Sequence[RuleSpec], own: Sequence[RuleSpec], section: AnomaliesSection, context: Context
) -> Catalogue:
    """Put the rules together. A rule in the settings replaces the shipped one of the same name.

    A shipped rule whose metrics nothing provides here is idle; one of the customer's own is a mistake. Raises
    SettingsError.
    """
    ids = {spec.id for spec in own}
    specs = [*(spec for spec in shipped if spec.id not in ids), *own]
    files = [rule for path in section.rule_files for rule in load(path)]
    _unique([*(spec.id for spec in own), *(rule.id for rule in files)])
    _known(section.rules_off, {*(spec.id for spec in specs), *(rule.id for rule in files)})
    rules: list[Rule] = []
    idle: list[Idle] = []
    for spec in specs:
        if spec.id in section.rules_off:
            idle.append(Idle(spec, "switched off by anomalies.rules_off"))
        elif spec.id not in ids and (missing := _missing(spec, context)):
            idle.append(Idle(spec, f"nothing measures {missing} here"))
        else:
            rules.append(build(spec, context))
    rules += (rule for rule in files if rule.id not in section.rules_off)
    return Catalogue(tuple(rules), {spec.id: spec for spec in specs}, tuple(idle))


def _missing(spec: RuleSpec, context: Context) -> str | None:
    """The first metric of a rule that nothing provides: the judged one, or one named by a parameter."""
    others = (spec.params.get(name) for name in ("divide_by", "limit_metric"))
    for metric in (spec.metric, *others):
        if isinstance(metric, str) and metric not in context.metrics:
            return metric
    return None


def _unique(ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise SettingsError(f"there are two rules '{name}' of your own", hint="give each its own id")
        seen.add(name)


def _known(off: Iterable[str], ids: set[str]) -> None:
    for name in off:
        if name not in ids:
            raise SettingsError(
                f"anomalies.rules_off names '{name}', and there is no such rule", hint="opsctl anomalies rules"
            )
