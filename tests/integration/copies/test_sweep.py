"""Verification at rest: what rots is found, what was read is on record, and what stopped growing is a failure."""

from datetime import timedelta
from pathlib import Path

import pytest

from backup import layout
from backup.catalog import Catalog
from backup.retention.holdings import judge
from backup.sweep import run as sweep_module
from backup.sweep.records import KIND, SweepBody, known
from backup.sweep.run import Growth, sweep
from opsctl.core.clock import utcnow
from opsctl.core.errors import UnreachableError
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from tests.integration.cli.conftest import Machine
from tests.integration.copies.test_copy import flip
from tests.integration.copies.test_prune import POLICY, look
from tests.support.faulty_store import WrappedStore
from tests.support.history import STACK, History, plain_host

SOON = Growth(timedelta(hours=26), timedelta(minutes=20))


@pytest.fixture
def today(tmp_path: Path) -> History:
    """Two backups, the second with the files of the first, and some logs, all of the last hours."""
    made = History(plain_host(tmp_path), now=utcnow() - timedelta(hours=3, minutes=20))
    full = made.backup(after=timedelta(hours=1))
    made.ship(4)
    made.backup(parent=full, files_of=full, after=timedelta(hours=1))
    made.ship()
    made.head()
    return made


def read(history: History, percent: float = 100, growth: Growth = SOON, **words: Catalog) -> Record[SweepBody]:
    host = history.host
    catalog = words.get("catalog", host.catalog)
    return sweep(catalog, "local", percent, growth, ledger=host.ledger, progress=host.progress)


def archives(history: History) -> set[str]:
    named = {artefact.key for manifest in history.manifests for artefact in manifest.artefacts}
    return named | {segment.key for segment in history.segments}


def test_everything_that_a_document_names_is_read_once_and_is_on_record(today: History) -> None:
    record = read(today)
    assert record.outcome is Outcome.PASSED, record.body
    assert sorted(record.body.good) == sorted(archives(today))
    assert (
        record.body.size
        == record.body.total_size
        == sum(item.size for item in today.store.list("") if item.key in archives(today))
    )
    [entry] = today.host.ledger.query(KIND, STACK)
    assert entry.record_of(SweepBody) == record
    assert known(today.host.ledger, STACK, today.store.where).read.keys() == archives(today)


def test_samples_cover_everything_and_begin_with_what_waits_longest(today: History) -> None:
    seen: set[str] = set()
    while seen != archives(today):
        record = read(today, 15)
        assert record.body.good[0] not in seen
        assert record.body.waiting is not None
        seen |= set(record.body.good)


def test_what_rots_is_found_and_named_until_it_is_good_again(today: History) -> None:
    bad = [today.manifests[0].artefact("db").key, today.segments[1].key]
    for key in bad:
        flip(today.host.repository / key)
    record = read(today)
    assert record.outcome is Outcome.FAILED
    assert (sorted(record.body.bad), len(record.body.problems)) == (sorted(bad), 2)
    assert known(today.host.ledger, STACK, today.store.where).bad == set(bad)
    _, decision = judge(look(today.store, today), POLICY)
    assert "the newest that is whole" not in {each for verdict in decision.backups for each in verdict.reasons}
    for key in bad:
        flip(today.host.repository / key)
    assert read(today).outcome is Outcome.PASSED
    assert known(today.host.ledger, STACK, today.store.where).bad == frozenset()


def test_a_document_that_does_not_hold_is_found_and_keeps_nothing_else_from_being_read(today: History) -> None:
    flip(today.host.repository / layout.manifest(STACK, today.manifests[1].id))
    record = read(today)
    assert record.outcome is Outcome.FAILED
    assert set(record.body.good) >= {segment.key for segment in today.segments}


def test_a_repository_that_stopped_growing_is_a_failure_however_whole_it_is(
    today: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pgbackrest #2229."""
    monkeypatch.setattr(sweep_module, "utcnow", lambda: utcnow() + timedelta(hours=27))
    record = read(today)
    assert (record.outcome, record.body.problems, record.body.bad) == (Outcome.FAILED, (), ())
    assert [said.split(" in it")[0] for said in record.body.stale] == ["the newest backup", "the newest binary log"]


def test_a_repository_that_shrank_or_is_empty_is_a_failure(today: History) -> None:
    assert read(today).outcome is Outcome.PASSED
    for item in list(today.store.list(layout.backup(STACK, today.manifests[1].id))):
        today.store.delete(item.key)
    [said] = read(today).body.stale
    assert said.startswith(f"its newest backup was {today.manifests[1].id}, and is {today.manifests[0].id}")
    for item in list(today.store.list("")):
        today.store.delete(item.key)
    assert "there is no backup in it" in read(today).body.stale


def test_a_store_that_does_not_answer_is_no_verdict(today: History) -> None:
    class Gone(WrappedStore):
        def open(self, key: str, *, offset: int = 0):  # type: ignore[no-untyped-def]
            if key.endswith(".age"):
                raise UnreachableError("nobody answers", where=self.where)
            return self.store.open(key, offset=offset)

    record = read(today, catalog=Catalog(Gone(today.store), STACK, today.host.verifier))
    assert (record.outcome, record.body.stale) == (Outcome.COULD_NOT_RUN, ())


def test_the_command_reads_a_sample_or_all_and_ends_with_4_when_nothing_grows(
    today: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path, capsys)
    etc = tmp_path / "etc"
    machine.config.write_text(
        f"""
[stack]
name = "{STACK}"
[machine]
state_dir = "{tmp_path}/state"
lock_dir = "{tmp_path}/locks"
[trust]
signer = "host@acme"
signing_key = "{etc}/signing_key"
allowed_signers = "{etc}/allowed_signers"
[binlog]
fresh_min = 300
[[repositories]]
name = "local"
path = "{tmp_path}/repository"
"""
    )
    code, document = machine.json("backup", "verify", "--sample", "20")
    assert (code, document["backups"], document["repository"]["outcome"]) == (0, [], "passed")
    assert 0 < document["repository"]["archives"] < document["repository"]["total"]
    code, out, _ = machine.opsctl("backup", "verify", "--all")
    assert (code, max(len(line) for line in out.splitlines()) <= 80) == (0, True), out
    assert machine.opsctl("backup", "verify", "--sample", "5", "--all")[0] == 2
    assert machine.opsctl("backup", "verify", "--sample", "5", today.manifests[0].id)[0] == 2
    machine.config.write_text(machine.config.read_text().replace("fresh_min = 300", "fresh_min = 0.01"))
    code, out, _ = machine.opsctl("backup", "verify", "--sample", "5")
    assert (code, "the newest binary log in it" in out) == (4, True)
    assert "verify --sample 5 --repository local" in machine.opsctl("status")[1]
    flip(tmp_path / "repository" / today.segments[0].key)
    assert machine.opsctl("backup", "verify", "--all")[0] == 12
