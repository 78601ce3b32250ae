"""Pruning: what stays is whole, what is gone is explained, and a killed run is finished by the next."""

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from backup import layout
from backup.binlog.gaps import GapKind, find_gaps
from backup.catalog import Catalog
from backup.copies.run import Destination
from backup.retention.decide import Policy
from backup.retention.holdings import Repository, judge, unverified
from backup.retention.prune import Done, prune
from backup.retention.pruned import newest_pruned
from backup.segment import Head
from backup.summary import summaries
from backup.sweep.records import known
from backup.verify import verify_backup
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import IntegrityError
from opsctl.core.result import Outcome
from opsctl.core.signing import create_key
from opsctl.core.store import DeniedError, Store, put
from opsctl.core.store.directory import DirectoryStore
from restore_drill.trust import RolledBackError, check_head
from tests.integration.copies.test_copy import copy, flip
from tests.support.faulty_store import WrappedStore
from tests.support.history import STACK, History, plain_host
from tests.support.sshsig import FastSigner

POLICY = Policy(last=2, daily=4, weekly=2, monthly=1, yearly=1, binlog_days=3, zone=UTC)
NAME = "local"


@pytest.fixture
def years(tmp_path: Path) -> History:
    """Three weeks: a full backup each Sunday, incrementals between them with the week's files, two logs a day."""
    made = History(plain_host(tmp_path / "host"), size=500)
    full = None
    for day in range(21):
        if full is None or day % 7 == 0:
            full = made.backup(files_of=full)
        else:
            made.backup(parent=made.manifests[-1], files_of=full)
        made.ship(2)
        made.head()
    return made


def look(store: Store, history: History, proved: Iterable[str] = ()) -> Repository:
    catalog = Catalog(store, STACK, history.host.verifier)
    here = {item.key: item for item in store.list(f"{STACK}/")}
    failed = unverified(history.host.ledger, STACK, store.where)
    bad = known(history.host.ledger, STACK, store.where).bad
    return Repository(catalog, here, summaries(catalog, here), frozenset(proved), failed, bad, catalog.newest_head())


def run(history: History, store: Store | None = None, *, name: str = NAME, policy: Policy = POLICY) -> Done:
    repository = look(store or history.store, history)
    holdings, decision = judge(repository, policy)
    return prune(repository, holdings, decision, name=name, signer=history.signer)


def keys(store: Store) -> set[str]:
    return {item.key for item in store.list(f"{STACK}/") if "/prunes/" not in item.key}


def holds(history: History, store: Store | None = None, *, name: str = NAME) -> Catalog:
    """What is left is whole, and nothing of it is missed by anybody."""
    catalog = Catalog(store or history.store, STACK, history.host.verifier)
    for backup_id in catalog.backup_ids():
        record = verify_backup(catalog, backup_id, ledger=history.host.ledger, progress=history.host.progress)
        assert (record.outcome, record.body.problems) == (Outcome.PASSED, ())
        parent = catalog.manifest(backup_id).parent
        assert parent is None or parent in catalog.backup_ids()
    assert find_gaps(catalog, name) == []
    assert check_head(catalog, None, name) is not None
    return catalog


def test_what_no_rule_keeps_goes_and_what_is_left_is_whole(years: History) -> None:
    before = keys(years.store)
    done = run(years)
    assert (done.objects, done.refused) == (len(before - keys(years.store)), [])
    catalog = holds(years)
    ids = [manifest.id for manifest in years.manifests]
    assert catalog.backup_ids() == ids[14:]  # a week; the newest of the week before is one of them
    (ref,) = catalog.lineages()
    assert [segment.number for segment in catalog.segments(ref)] == list(range(37, 43))
    assert run(years).objects == 0


def test_what_the_newest_head_states_stays_until_there_is_a_newer_one(years: History) -> None:
    for _ in range(6):
        years.backup()
        years.ship(4)
        years.now += timedelta(days=40)
    run(years)
    holds(years)
    years.head()
    run(years)
    catalog = holds(years)
    assert not set(catalog.backup_ids()) & {manifest.id for manifest in years.manifests[:21]}


def test_archives_that_a_later_backup_names_outlive_the_backup_that_they_lie_in(years: History) -> None:
    run(years)
    first = years.manifests[0]
    left = [key for key in keys(years.store) if key.startswith(layout.backup(STACK, first.id))]
    assert left == [first.artefact("files-site").key]
    assert years.manifests[14].artefact("files-site").key == left[0]
    for _ in range(6):
        years.backup()
        years.ship(2)
        years.head()
        years.now += timedelta(days=40)
    run(years)
    assert not [key for key in keys(years.store) if key.startswith(layout.backup(STACK, first.id))]
    holds(years)


def remembered(history: History, day: int) -> Head:
    """What a drill host has seen on a day."""
    segment = history.segments[2 * day + 1]
    return Head(
        stack=STACK,
        at=segment.sealed_at,
        server=segment.server,
        lineage=segment.lineage,
        segments=segment.number,
        last_record=sha256_hex(history.records[segment.key]),
        newest_backup=history.manifests[day].id,
    )


def test_who_remembers_what_was_pruned_is_told_so_by_a_signed_statement(years: History) -> None:
    seen = remembered(years, day=3)
    catalog = years.host.catalog
    assert check_head(catalog, seen, NAME)
    run(years)
    head = check_head(catalog, seen, NAME)
    assert head == catalog.newest_head()
    with pytest.raises(RolledBackError):
        check_head(catalog, seen)
    with pytest.raises(RolledBackError, match="is another than in what this machine saw"):
        check_head(catalog, of_another_history(seen, years, day=18), NAME)
    assert [gap.kind for gap in find_gaps(catalog)] == [GapKind.RECORD]


def of_another_history(seen: Head, history: History, day: int) -> Head:
    """A head of that day, whose last record is another."""
    return remembered(history, day).model_copy(update={"last_record": seen.last_record})


@pytest.mark.parametrize("what", ["backup", "segments", "record"])
def test_a_statement_hides_no_rollback(years: History, what: str, tmp_path: Path) -> None:
    """Whatever it says, the newest head and all it states have to be there, and nothing older than was seen."""
    seen = remembered(years, day=20)
    run(years)
    catalog = years.host.catalog
    if what == "backup":
        years.store.delete(layout.manifest(STACK, years.manifests[20].id))
    elif what == "segments":
        for segment in years.segments[-2:]:
            years.store.delete(segment.key.replace(".zst.age", ".json"))
    else:
        known = newest_pruned(catalog, NAME)
        assert known is not None
        assert known.logs[0].through < seen.segments
        years.store.delete(years.segments[-4].key.replace(".zst.age", ".json"))
    with pytest.raises(IntegrityError):
        check_head(catalog, seen, NAME)


def test_what_was_pruned_from_one_repository_explains_nothing_in_another(years: History, offsite: Destination) -> None:
    seen = remembered(years, day=3)
    copy(years, offsite)
    run(years)
    there = Catalog(offsite.store, STACK, years.host.verifier)
    assert not [key for key in keys(offsite.store) if "/prunes/" in key]
    for item in list(years.store.list(layout.prunes(STACK))):
        with years.store.open(item.key) as stream:
            put(offsite.store, item.key, stream.read())
    offsite.store.delete(layout.manifest(STACK, years.manifests[3].id))
    with pytest.raises(IntegrityError, match="says what was pruned from 'local'"):
        check_head(there, seen, "offsite")
    assert GapKind.UNREADABLE in [gap.kind for gap in find_gaps(there, "offsite")]


def test_a_statement_by_nobody_trusted_explains_nothing(years: History, tmp_path: Path) -> None:
    seen = remembered(years, day=3)
    create_key(tmp_path / "stranger", "host@acme")
    repository = look(years.store, years)
    holdings, decision = judge(repository, POLICY)
    prune(repository, holdings, decision, name=NAME, signer=FastSigner(tmp_path / "stranger"))
    with pytest.raises(IntegrityError):
        check_head(years.host.catalog, seen, NAME)


KILLED = """
import pickle, sys
from datetime import UTC
from tests.integration.copies.test_prune import run
run(pickle.load(sys.stdin.buffer))
"""


@pytest.mark.parametrize("point", ["prune.stated@1", "prune.deleted@1", "prune.deleted@2", "prune.deleted@30"])
def test_a_killed_prune_leaves_nothing_that_is_named_and_gone_and_the_next_one_ends_it(
    years: History, tmp_path: Path, point: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=pickle.dumps(years),
        env={**os.environ, "OPSCTL_FAILPOINT": point},
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    holds(years)
    run(years)
    left = keys(years.store)
    holds(years)
    assert run(years).objects == 0
    ids = [manifest.id for manifest in years.manifests]
    assert {key.split("/")[2] for key in left if key.endswith(layout.MANIFEST)} == set(ids[14:])
    assert len([key for key in left if key.startswith(f"{STACK}/backups/")]) == 7 * 5 + 1


def test_what_the_store_refuses_to_delete_keeps_what_it_names(years: History) -> None:
    kept = years.manifests[3].id

    class Refuses(WrappedStore):
        def delete(self, key: str) -> None:
            if kept in key or "bin.000009" in key:
                raise DeniedError(f"{key} is locked", where=self.where)
            self.store.delete(key)

    done = run(years, Refuses(years.store))
    assert len(done.refused) == 2
    catalog = holds(years)
    assert catalog.backup_ids()[:4] == [manifest.id for manifest in years.manifests[:4]]
    (ref,) = catalog.lineages()
    assert catalog.segments(ref)[0].name == "bin.000009"


def test_an_off_host_repository_is_pruned_by_another_policy_and_what_went_is_not_sent_again(
    years: History, offsite: Destination
) -> None:
    copy(years, offsite)
    short = dataclasses.replace(POLICY, last=1, daily=1, weekly=0, monthly=0, yearly=0, binlog_days=1)
    run(years, offsite.store, name="offsite", policy=short)
    there = holds(years, offsite.store, name="offsite")
    assert there.backup_ids() == [manifest.id for manifest in years.manifests[14:]]
    again = copy(years, offsite)
    assert (again.outcome, again.body.objects, again.body.backlog) == (Outcome.PASSED, 0, 0)
    years.backup(parent=years.manifests[-1], files_of=years.manifests[-1])
    years.ship(2)
    years.head()
    record = copy(years, offsite)
    assert (record.outcome, record.body.problems) == (Outcome.PASSED, ())
    holds(years, offsite.store, name="offsite")


def test_orphans_go_when_nobody_can_be_making_them_any_more(years: History) -> None:
    prefix = layout.backup(STACK, layout.new_backup_id(years.now, "full"))
    segment = (
        f"{layout.lineage(STACK, 's7', '20260101T000000000000Z-aaaaaaaa')}bin.000099.20260101T000000000000Z-1a2b3c4d"
    )
    for key in (f"{prefix}db.mbstream.zst.age", f"{segment}.zst.age", f"{STACK}/exports/20260101T000000Z-1/a.age"):
        put(years.store, key, b"half")
    run(years)
    assert {key for key in keys(years.store) if "half" in key or key.startswith(prefix)}
    week_ago = years.now.timestamp()
    for item in years.store.list(""):
        os.utime(years.host.repository / item.key, (week_ago, week_ago))
    run(years)
    left = keys(years.store)
    assert not {key for key in left if key.startswith((prefix, segment, f"{STACK}/exports/"))}
    holds(years)


def test_a_failed_verification_keeps_a_backup_out_of_the_count_and_deletes_nothing(years: History) -> None:
    """DBackup #154: a bad backup is no reason to delete a good one."""
    newest = years.manifests[-1]
    flip(years.host.repository / newest.artefact("db").key)
    catalog = years.host.catalog
    record = verify_backup(catalog, newest.id, ledger=years.host.ledger, progress=years.host.progress)
    assert record.outcome is Outcome.FAILED
    _, decision = judge(look(years.store, years), dataclasses.replace(POLICY, last=1, daily=0, weekly=0, monthly=0))
    stays = {verdict.id: verdict.reasons for verdict in decision.backups if verdict.stays}
    assert stays[newest.id][0] == "the newest"
    assert "last" in stays[years.manifests[-2].id]


def test_a_backup_whose_archive_is_gone_or_empty_is_not_whole(years: History) -> None:
    (years.host.repository / years.manifests[-1].artefact("db").key).unlink()
    _, decision = judge(look(years.store, years), POLICY)
    assert "the newest that is whole" in decision.backups[-2].reasons
    assert "the newest that is whole" not in decision.backups[-1].reasons


def test_a_manifest_that_does_not_hold_stops_pruning_since_it_may_need_anything(years: History) -> None:
    flip(years.host.repository / layout.manifest(STACK, years.manifests[5].id))
    before = keys(years.store)
    with pytest.raises(IntegrityError):
        run(years)
    assert keys(years.store) == before


def test_what_a_drill_proved_stays_with_its_parents(years: History) -> None:
    proved = years.manifests[2].id
    _, decision = judge(look(years.store, years, [years.manifests[1].id, proved]), POLICY)
    stays = [verdict.id for verdict in decision.backups if verdict.stays]
    assert stays[:3] == [manifest.id for manifest in years.manifests[:3]]
    assert decision.backups[2].reasons == ("the newest that passed a drill",)
    assert decision.backups[1].reasons == (f"needed by {proved}",)


def test_a_name_that_came_back_after_a_reset_is_not_taken_for_the_backups_log(tmp_path: Path) -> None:
    """wal-g #1958: logs that are still needed are not deleted because of a name."""
    made = History(plain_host(tmp_path / "host"), size=500)
    made.ship(2)
    old = made.backup()
    made.reset()
    made.ship(6, lineage="20260201T000000000000Z-bbbbbbbb")
    repository = look(made.store, made)
    _, decision = judge(repository, dataclasses.replace(POLICY, binlog_days=0))
    assert [verdict.stays for verdict in decision.logs] == [True] * 8
    assert old.database.binlog_file == "bin.000003"
    assert isinstance(made.store, DirectoryStore)
