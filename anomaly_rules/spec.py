"""Named rules as data: what a rule asks, its kind and parameters, why its threshold is what it is, what to do."""

import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import Field, JsonValue, ValidationError, field_validator

from opsctl.core.errors import SettingsError
from opsctl.core.rule import MetricId, Severity
from opsctl.core.section import Section
from opsctl.core.settings_mistakes import describe


class RuleSpec(Section):
    """A rule as it stands in `anomaly_rules/rules/*.toml` or under `[[anomalies.rules]]` in the settings."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="The rule's name.", examples=["cost-spike"])
    question: str = Field(description="What it answers.", examples=["Did a day cost far more than its weekday does?"])
    severity: Severity = Field(
        description="info, warning or critical; critical ones are sent at once.", examples=["warning"]
    )
    kind: str = Field(description="Which statistics it uses.", examples=["outlier"])
    metric: MetricId = Field(description="The metric that it judges.", examples=["cost.daily"])
    params: dict[str, JsonValue] = Field({}, description="The kind's parameters: opsctl anomalies rules --kinds")
    reason: str = Field(description="Why the threshold is what it is.", examples=["Twice the noise of two years."])
    act: str = Field(description="What to do about a finding.", examples=["Look at the bill of that service."])

    @field_validator("question")
    @classmethod
    def _asks(cls, value: str) -> str:
        if not value.endswith("?"):
            raise ValueError("a question ends with ?")
        return value


class RuleFile(Section):
    """A file of rules."""

    rules: tuple[RuleSpec, ...]


def shipped() -> tuple[RuleSpec, ...]:
    """The rules that come with opsctl, in the order of their files' names."""
    found = (entry for entry in files("anomaly_rules").joinpath("rules").iterdir() if entry.name.endswith(".toml"))
    return tuple(_read_all(sorted(found, key=lambda entry: entry.name)))


def _read_all(entries: Iterable[Traversable]) -> Iterator[RuleSpec]:
    for entry in entries:
        yield from read(entry.read_text(encoding="utf-8"), entry.name)


def read(text: str, where: str) -> tuple[RuleSpec, ...]:
    """Read rules from TOML (`[[rules]]` tables). Raises SettingsError that lists every mistake."""
    try:
        return RuleFile(**tomllib.loads(text)).rules
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"the rules are no valid TOML: {error}", where=where, hint="see: opsctl anomalies rules"
        ) from None
    except ValidationError as error:
        mistakes = "; ".join(describe(RuleFile, error, lambda _: None))
        raise SettingsError(
            f"rules cannot be used: {mistakes}", where=where, hint="see: opsctl anomalies rules"
        ) from None
