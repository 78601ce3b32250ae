"""What settings make of sources: every shipped rule finds its metric where everything is there."""

from datetime import timedelta
from pathlib import Path

import pytest

from anomaly_rules.kinds import Context, build
from anomaly_rules.spec import RuleSpec, shipped
from opsctl.core.clock import utcnow
from opsctl.core.errors import SettingsError
from opsctl.core.ledger import SqliteLedger
from opsctl.core.record import AnyBody, Record
from opsctl.core.result import Outcome
from opsctl.overview.measuring import collectors, samples
from opsctl.settings import Settings, load_settings

MACHINE = """
[stack]
name = "acme"

[machine]
state_dir = "{dir}"

[trust]
signer = "host@acme"

[backup]
recipients = ["age1{key}"]
keys_recipients = ["age1{key}"]

[[repositories]]
name = "local"
path = "{dir}/repository"

[[repositories]]
name = "offsite"
path = "{dir}/offsite"

[database]
{watch}

[anomalies]
journal = "{dir}"
time_server = "127.0.0.1"
"""

SOURCES = """
[[sources]]
name = "crm"
kind = "crm"
database = "crm"
call_follow_up = "follow_up_on"

[[sources]]
name = "recordings"
kind = "queue"
use = "transcription"
database = "vault"
table = "jobs"
time = "queued_at"
waiting = "done IS NULL"
failed = "failed"

[[sources]]
name = "webhooks"
kind = "queue"
use = "webhook"
database = "shop"
table = "deliveries"
time = "created_at"
waiting = "done IS NULL"
failed = "failed"

[[sources]]
name = "bill"
kind = "costs"
provider = "aws"
files = "/srv/bill/*.csv"
budget = 100

[[sources]]
name = "ai"
kind = "ai_calls"
files = "/srv/calls.csv"
"""


def settings(directory: Path, more: str = SOURCES, watch: str = 'watch_user = "opsctl_watch"') -> Settings:
    file = directory / "opsctl.toml"
    file.write_text(MACHINE.format(dir=directory, key="q" * 58, watch=watch) + more)
    return load_settings(file).settings


def remember(directory: Path, kind: str) -> None:
    now = utcnow()
    SqliteLedger(directory / "ledger.sqlite").append(
        Record[AnyBody](
            kind=kind,
            version=1,
            subject="web1",
            started=now,
            finished=now,
            outcome=Outcome.PASSED,
            fresh_until=now + timedelta(days=1),
            body=AnyBody(),
        )
    )


def test_every_shipped_rule_can_judge_where_everything_is_there(tmp_path: Path) -> None:
    remember(tmp_path, "drift")
    remember(tmp_path, "review")
    context = Context(samples(settings(tmp_path)).metrics())
    rules = [build(spec, context) for spec in shipped()]
    assert len(rules) > 45
    for rule in rules:
        assert set(rule.needs) <= context.metrics.keys(), rule.id


@pytest.mark.parametrize("rule", shipped(), ids=lambda spec: spec.id)
def test_a_shipped_rule_says_why_and_what_to_do(rule: RuleSpec) -> None:
    assert rule.question[0].isupper()
    assert rule.reason.endswith(".")
    assert rule.act.endswith(".") or ": " in rule.act
    assert len(rule.reason) > 40


def test_shipped_rules_have_names_of_their_own() -> None:
    ids = [rule.id for rule in shipped()]
    assert len(ids) == len(set(ids))


def test_what_is_not_there_is_not_measured(tmp_path: Path) -> None:
    names = {collector.name for collector in collectors(settings(tmp_path, more="", watch=""))}
    assert "disks" in names
    assert not {"drift", "replication", "chain of the vault"} & names


def test_two_sources_of_the_same_name_are_refused(tmp_path: Path) -> None:
    queue = SOURCES.split("[[sources]]")[2]
    with pytest.raises(SettingsError, match="two sources named 'recordings'"):
        collectors(settings(tmp_path, more=f"[[sources]]{queue}[[sources]]{queue}"))


def test_sources_in_the_database_need_an_account_that_measures(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="names no watch_user"):
        collectors(settings(tmp_path, watch=""))


def test_a_bill_of_another_cloud_has_to_name_its_columns(tmp_path: Path) -> None:
    bill = '[[sources]]\nname = "b"\nkind = "costs"\nprovider = "other"\nfiles = "/b.csv"\namount = "cost"\n'
    with pytest.raises(SettingsError, match="needs date, amount, and currency"):
        settings(tmp_path, more=bill)
