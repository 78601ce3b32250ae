"""The contract suites of Runner, Rule, Job and Section, run on what there is of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from opsctl.core.job import Job
from opsctl.core.rule import Judgement, MetricId, Rule, Series, SeriesId, Severity, Verdict
from opsctl.core.runner import LocalRunner, Runner
from opsctl.core.settings_mistakes import section_model
from opsctl.settings import Settings
from tests.contracts.job import JobContract
from tests.contracts.rule import RuleContract
from tests.contracts.runner import RunnerContract
from tests.contracts.section import SectionContract

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LOAD = MetricId("load")


class TestLocalRunner(RunnerContract):
    @pytest.fixture
    def runner(self) -> Runner:
        return LocalRunner()


SECTIONS = [found for field in Settings.model_fields.values() if (found := section_model(field)) is not None]


@pytest.mark.parametrize("section", SECTIONS)
class TestSections(SectionContract):
    pass


@dataclass(frozen=True)
class AboveRule:
    """Whether the last value is above a limit."""

    limit: float
    id: str = "load.above"
    question: str = "Is the load above its limit?"
    severity: Severity = Severity.WARNING
    needs: tuple[MetricId, ...] = (LOAD,)
    min_history_days: int = 0
    reach_days: int = 2

    def evaluate(self, series: Mapping[SeriesId, Series], at: datetime) -> tuple[Verdict, ...]:
        found = series.get(SeriesId(LOAD), Series((), ()))
        known = [value for time, value in zip(found.times, found.values, strict=True) if time <= at]
        if not known:
            return (Verdict(judgement=Judgement.COULD_NOT_JUDGE, sentence="nothing was measured"),)
        high = known[-1] > self.limit
        judgement = Judgement.FINDING if high else Judgement.QUIET
        return (Verdict(judgement=judgement, sentence=f"the load is {known[-1]}", figures={"load": known[-1]}),)


class TestRule(RuleContract):
    @pytest.fixture(params=[1.0, 100.0])
    def rule(self, request: pytest.FixtureRequest) -> Rule:
        return AboveRule(request.param)

    @pytest.fixture
    def history(self) -> Mapping[SeriesId, Series]:
        return {SeriesId(LOAD): Series((NOW - timedelta(days=1), NOW), (1.0, 5.0))}

    @pytest.fixture
    def now(self) -> datetime:
        return NOW


class TestJob(JobContract):
    @pytest.fixture
    def job(self) -> Job:
        return Job(
            name="backup",
            argv=("backup", "run", "--quiet"),
            calendar="*-*-* 02:00:00",
            runs_on="host",
            timeout_s=6 * 3600,
            expects="backup",
        )


@pytest.mark.parametrize(
    "change", [{"argv": ()}, {"timeout_s": 0}, {"name": "Back up"}, {"runs_on": "anywhere"}, {"expects": ""}]
)
def test_a_job_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    words: dict[str, object] = {
        "name": "x",
        "argv": ("x",),
        "calendar": "daily",
        "runs_on": "host",
        "timeout_s": 1,
        "expects": "x",
    }
    Job.model_validate(words)
    with pytest.raises(ValueError, match="validation error"):
        Job.model_validate({**words, **change})


def test_every_section_is_reached() -> None:
    assert all(issubclass(section, BaseModel) for section in SECTIONS)
    assert len(SECTIONS) == len(Settings.model_fields)
