"""`opsctl anomalies`, from a bill that was collected to findings that were explained, acknowledged and muted."""

import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsctl.cli.main import run
from opsctl.core.errors import ExitCode

Opsctl = Callable[..., Any]

SETTINGS = """
[stack]
name = "acme"
[machine]
state_dir = "{0}/state"
lock_dir = "{0}/run"
[trust]
signer = "host@acme"
[anomalies]
packages = false
disks = []
rules_off = {2}
rule_files = {3}
[[sources]]
kind = "costs"
name = "cloud"
files = "{0}/bill.csv"
provider = "other"
date = "day"
amount = "cost"
service = "service"
only_currency = "USD"
{1}
"""


def bill(path: Path, *, outage_days: int = 0, spike: float = 1.0) -> None:
    """Five months of two services; they may have cost nothing in the last days, or a multiple of it on the last."""
    dice = random.Random(1)
    today = datetime.now(UTC).date()
    lines = ["day,service,cost"]
    for back in range(150, 0, -1):
        day = today - timedelta(days=back)
        for service, usual in (("compute", 80.0), ("storage", 30.0)):
            value = usual * (0.6 if day.weekday() >= 5 else 1.0) * dice.gauss(1, 0.02)
            value *= spike if back == 2 else 1.0
            lines.append(f"{day},{service},{0.0 if back <= outage_days else value:.2f}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    bill(tmp_path / "bill.csv")
    return write(tmp_path)


def write(tmp_path: Path, more: str = "", off: str = "[]", files: str = "[]") -> Path:
    path = tmp_path / "opsctl.toml"
    path.write_text(SETTINGS.format(tmp_path, more, off, files))
    return path


@pytest.fixture
def opsctl(settings: Path, capsys: pytest.CaptureFixture[str]) -> Opsctl:
    def call(*words: str, expect: int = ExitCode.DONE) -> Any:
        capsys.readouterr()
        code = run(["anomalies", *words, "--config", str(settings), "--json"])
        output = capsys.readouterr()
        assert code == expect, output.out + output.err
        return json.loads(output.out)

    return call


def text(settings: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """What a person sees."""
    capsys.readouterr()
    run(["anomalies", *words, "--config", str(settings)])
    return capsys.readouterr().out.splitlines()


def test_a_healthy_bill_is_quiet(opsctl: Opsctl) -> None:
    opsctl("collect")
    document = opsctl("run")
    assert document["findings"] == document["unchecked"] == []


def test_a_run_may_collect_first_and_leaves_a_record_that_somebody_looked(
    opsctl: Opsctl, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert opsctl("run", "--collect")["findings"] == []
    capsys.readouterr()
    run(["ledger", "list", "--kind", "anomalies-run", "--json", "--config", str(settings)])
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert entry["outcome"] == "passed"
    assert entry["fresh_until"]


def test_seven_days_without_cost_are_found(opsctl: Opsctl, tmp_path: Path) -> None:
    bill(tmp_path / "bill.csv", outage_days=7)
    opsctl("collect")
    document = opsctl("run", expect=ExitCode.FINDINGS)
    (flat,) = [found for found in document["findings"] if found["rule"] == "cost-flatline"]
    assert flat["severity"] == "critical"
    began = datetime.now(UTC).date() - timedelta(days=7)
    assert flat["since"].startswith(began.isoformat())
    assert flat["act"]


def test_a_finding_is_explained_acknowledged_and_muted(
    opsctl: Opsctl, settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bill(tmp_path / "bill.csv", spike=4.0)
    opsctl("collect")
    opsctl("run", expect=ExitCode.FINDINGS)
    listed = opsctl("list")["findings"]
    (spike,) = [found for found in listed if found["rule"] == "cost-spike"]
    opsctl("acknowledge", spike["id"], "--reason", "somebody looks")
    opsctl("run", expect=ExitCode.FINDINGS)
    for found in listed:
        opsctl("mute", found["id"], "--for", "2w", "--reason", "a load test")
    assert all(found["muted_until"] for found in opsctl("run")["findings"])
    explained = opsctl("explain", spike["id"])
    assert [each["event"] for each in explained["life"]] == ["opened", "acknowledged", "muted"]
    assert len(explained["series"]) >= 60
    drawn = text(settings, capsys, "explain", spike["id"])
    assert max(map(len, drawn)) <= 80
    assert any("█" in line for line in drawn)
    assert any("↑" in line for line in drawn)
    for words in (("run", "--dry-run"), ("list",), ("list", "--all"), ("rules",), ("rules", "--kinds")):
        assert max(map(len, text(settings, capsys, *words))) <= 80


def test_a_source_that_cannot_be_read_is_told_and_exits_3(opsctl: Opsctl, tmp_path: Path) -> None:
    opsctl("collect")
    (tmp_path / "bill.csv").write_text("date,amount\n2026-01-01,5\n")
    opsctl("collect", expect=ExitCode.PARTIAL)
    document = opsctl("run", expect=ExitCode.PARTIAL)
    (finding,) = document["findings"]
    assert finding["rule"] == "sources"
    assert "cloud" in finding["sentence"]
    assert "cost-spike" in [rule["rule"] for rule in document["unchecked"]]


def test_before_anything_was_collected_nothing_can_be_checked(opsctl: Opsctl) -> None:
    document = opsctl("run", expect=ExitCode.PARTIAL)
    assert "opsctl anomalies collect" in document["findings"][0]["sentence"]


def test_a_past_moment_is_judged_again_the_same_and_nothing_is_written(opsctl: Opsctl, tmp_path: Path) -> None:
    bill(tmp_path / "bill.csv", spike=4.0)
    opsctl("collect")
    moment = datetime.now(UTC).isoformat()
    first = opsctl("run", "--at", moment, expect=ExitCode.FINDINGS)
    second = opsctl("run", "--at", moment, expect=ExitCode.FINDINGS)
    for document in (first, second):
        for found in document["findings"]:
            found.pop("id")
        document.pop("new")
    assert first == second
    assert opsctl("list")["findings"] == []


def test_one_rule_can_be_run_alone(opsctl: Opsctl) -> None:
    opsctl("collect")
    assert opsctl("run", "--rule", "cost-spike")["rules"] == 2
    assert opsctl("run", "--rule", "cost-spke", expect=ExitCode.USAGE)["message"] == "there is no rule 'cost-spke'"


def test_rules_of_the_customers_own_replace_join_and_leave(opsctl: Opsctl, tmp_path: Path) -> None:
    own = """
[[rules]]
id = "cost-spike"
question = "Is it dear?"
severity = "info"
kind = "threshold"
metric = "cost.daily"
params = { above = 50.0 }
reason = "We are thrifty."
act = "Look."
"""
    write(tmp_path, own, '["cost-step"]')
    opsctl("collect")
    rules = {rule["id"]: rule for rule in opsctl("rules")["rules"]}
    assert rules["cost-spike"]["question"] == "Is it dear?"
    assert "rules_off" in rules["cost-step"]["idle"]
    assert "nothing measures" in rules["binlog-gap"]["idle"]
    document = opsctl("run", expect=ExitCode.FINDINGS)
    assert [found["rule"] for found in document["findings"]] == ["cost-spike"]


OWN = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[3] / "docs" / "anomalies.md").read_text(), re.DOTALL)[
    0
]
"""The example of the documentation."""


def test_rules_may_be_a_python_file(opsctl: Opsctl, tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text(OWN)
    write(tmp_path, files=f'["{path}"]')
    opsctl("collect")
    dear = path.read_text().replace("> 100", "> 10")
    assert opsctl("rules", "two-in-a-row")["rules"][0]["rule_kind"] is None
    path.write_text(dear)
    document = opsctl("run", expect=ExitCode.FINDINGS)
    assert [found["rule"] for found in document["findings"]] == ["two-in-a-row"]


@pytest.mark.parametrize(
    ("content", "said", "where"),
    [
        ("RULES = [\n", "fails with SyntaxError", "rules.py:1"),
        ("\nimport nonsense_that_is_not_there\n", "fails with ModuleNotFoundError", "rules.py:2"),
        ("x = 1\n", "has no list RULES", "rules.py"),
        ("class A:\n    id = 'a'\nRULES = [A()]\n", "rule 'a' lacks question, severity, needs", "rules.py"),
        (OWN.replace("Severity = Severity.WARNING", 'str = "info"'), "its severity is no Severity", "rules.py"),
    ],
)
def test_a_python_file_that_cannot_be_used_is_named_with_its_line(
    opsctl: Opsctl, tmp_path: Path, content: str, said: str, where: str
) -> None:
    path = tmp_path / "rules.py"
    path.write_text(content)
    write(tmp_path, files=f'["{path}"]')
    document = opsctl("run", expect=ExitCode.USAGE)
    assert said in document["message"]
    assert document["where"].endswith(where)
    assert document["hint"]


def test_a_python_file_that_others_may_write_is_refused(opsctl: Opsctl, tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text(OWN)
    path.chmod(0o666)
    write(tmp_path, files=f'["{path}"]')
    assert "others may write" in opsctl("run", expect=ExitCode.USAGE)["message"]


@pytest.mark.parametrize(
    ("more", "off", "said"),
    [
        ("", '["cost-spyke"]', "no such rule"),
        ('[[rules]]\nid = "x"\n', "[]", "lacks 'question'"),
        (
            '[[rules]]\nid="x"\nquestion="Is it?"\nseverity="info"\nkind="threshold"\nmetric="cost.daly"\n'
            'params={above=1}\nreason="r"\nact="a"\n',
            "[]",
            "needs 'cost.daly'",
        ),
    ],
)
def test_mistakes_in_the_settings_of_rules_are_named(
    opsctl: Opsctl, tmp_path: Path, more: str, off: str, said: str
) -> None:
    write(tmp_path, more, off)
    assert said in opsctl("run", expect=ExitCode.USAGE)["message"]


def test_a_backtest_answers_on_the_command_line(opsctl: Opsctl, tmp_path: Path) -> None:
    bill(tmp_path / "bill.csv", spike=4.0)
    day = datetime.now(UTC).date() - timedelta(days=2)
    (tmp_path / "truth.json").write_text(json.dumps({"compute": [[str(day), str(day)]], "storage": []}))
    words = ("--csv", str(tmp_path / "bill.csv"), "--time", "day", "--value", "cost", "--label", "service")
    found = opsctl("backtest", *words, "--rule", "outlier", "--truth", str(tmp_path / "truth.json"))
    assert found["series"] == 2
    assert [alarm["labels"] for alarm in found["alarms"]] == [{"service": "compute"}, {"service": "storage"}]
    assert found["score"]["recall"] == 1.0
    assert found["score"]["precision"] == 0.5
    quiet = opsctl("backtest", *words, "--rule", "outlier", "--param", "far_change=9", "--param", "min_change=9")
    assert quiet["alarms"] == []
    assert opsctl("backtest", *words, "--rule", "magic", expect=ExitCode.USAGE)["hint"].startswith("there are: outlier")
