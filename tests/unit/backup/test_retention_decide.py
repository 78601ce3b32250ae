"""What stays and what goes, over random histories: with zones, clocks that jump, breaks, faults and locks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from backup.retention.decide import Decision, Holdings, Kept, Log, Policy, decide

ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago")
BEGIN = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
PLAIN = Policy(last=2, daily=3, weekly=2, monthly=2, yearly=1, binlog_days=2, zone=UTC)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    count = st.integers(0, 4)
    return Policy(
        last=draw(count),
        daily=draw(count),
        weekly=draw(count),
        monthly=draw(count),
        yearly=draw(count),
        binlog_days=draw(count),
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
    )


@st.composite
def histories(draw: st.DrawFn) -> Holdings:
    """Days of one host: backups onto earlier ones, logs, breaks of the logs, a clock that jumps to and fro."""
    now, lineage, number = BEGIN, 0, 0
    backups: list[Kept] = []
    logs: list[Log] = []
    for step in range(draw(st.integers(0, 25))):
        now += timedelta(hours=draw(st.sampled_from([1, 6, 24, 24, 24, 24 * 9, 24 * 40, 24 * 400, -24 * 30])))
        what = draw(st.sampled_from(["full", "incremental", "log", "log", "break"]))
        if what == "break":
            lineage, number = lineage + 1, 0
        elif what == "log":
            number += 1
            logs.append(
                Log(f"l{step:03d}", (lineage, number), now, draw(st.integers(0, 9)) == 0, draw(st.integers(0, 9)) == 0)
            )
        else:
            parent = draw(st.sampled_from(backups)).id if what == "incremental" and backups else None
            backups.append(
                Kept(
                    f"b{step:03d}",
                    now,
                    sound=draw(st.integers(0, 5)) > 0,
                    locked=draw(st.integers(0, 9)) == 0,
                    stated=draw(st.integers(0, 9)) == 0,
                    parent=parent,
                    position=draw(st.sampled_from([(lineage, number + 1), (lineage, number + 1), None])),
                    proved=draw(st.booleans()),
                )
            )
    return Holdings(tuple(backups), tuple(logs))


def after(holdings: Holdings, decision: Decision) -> Holdings:
    """What is left when it was pruned."""
    stay = {verdict.id for verdict in (*decision.backups, *decision.logs, *decision.exports) if verdict.stays}
    return Holdings(
        tuple(backup for backup in holdings.backups if backup.id in stay),
        tuple(log for log in holdings.logs if log.id in stay),
        tuple(export for export in holdings.exports if export.id in stay),
    )


def whole(holdings: Holdings) -> list[Kept]:
    known = {backup.id: backup for backup in holdings.backups}

    def ancestors(backup: Kept) -> list[Kept | None]:
        return [backup, *([] if backup.parent is None else _above(known.get(backup.parent)))]

    def _above(parent: Kept | None) -> list[Kept | None]:
        return [None] if parent is None else ancestors(parent)

    return [backup for backup in holdings.backups if all(each and each.sound for each in ancestors(backup))]


@given(histories(), policies())
def test_everything_is_judged_once_and_with_a_reason(holdings: Holdings, policy: Policy) -> None:
    decision = decide(holdings, policy)
    assert [verdict.id for verdict in decision.backups] == [backup.id for backup in holdings.backups]
    assert [verdict.id for verdict in decision.logs] == [log.id for log in holdings.logs]
    assert all(verdict.reasons for verdict in (*decision.backups, *decision.logs))


@given(histories(), policies())
def test_the_newest_the_newest_whole_the_newest_drilled_and_the_locked_stay(holdings: Holdings, policy: Policy) -> None:
    left = after(holdings, decide(holdings, policy))
    good = whole(holdings)
    for kept in (holdings.backups[-1:], good[-1:], [backup for backup in good if backup.proved][-1:]):
        assert set(kept) <= set(left.backups)
    assert {backup for backup in holdings.backups if backup.locked or backup.stated} <= set(left.backups)
    assert {log for log in holdings.logs if log.locked or log.stated} <= set(left.logs)
    assert set(holdings.logs[-1:]) <= set(left.logs)


@given(histories(), policies())
def test_what_stays_keeps_all_its_parents(holdings: Holdings, policy: Policy) -> None:
    left = {backup.id for backup in after(holdings, decide(holdings, policy)).backups}
    known = {backup.id for backup in holdings.backups}
    for backup in holdings.backups:
        if backup.id in left and backup.parent in known:
            assert backup.parent in left


@given(histories(), policies())
def test_no_lineage_ever_gets_a_hole(holdings: Holdings, policy: Policy) -> None:
    left = after(holdings, decide(holdings, policy)).logs
    for lineage in {log.place[0] for log in left}:
        before = [log.place[1] for log in holdings.logs if log.place[0] == lineage]
        now = [log.place[1] for log in left if log.place[0] == lineage]
        assert now == before[len(before) - len(now) :]


@given(histories(), policies())
def test_every_log_of_the_window_can_be_replayed_onto_something_if_it_could_before(
    holdings: Holdings, policy: Policy
) -> None:
    left = after(holdings, decide(holdings, policy))
    days: set[object] = set()
    for log in reversed(holdings.logs):
        days.add(log.sealed_at.astimezone(policy.zone).date())
        if len(days) > policy.binlog_days:
            break
        assert log in left.logs
        assert _can_be_replayed(holdings, log) == _can_be_replayed(left, log)


def _can_be_replayed(holdings: Holdings, log: Log) -> bool:
    """Whether a whole backup of the same lineage comes before it, with every log between them."""
    there = {each.place for each in holdings.logs}
    lineage, number = log.place
    positions = [each.position[1] for each in whole(holdings) if each.position and each.position[0] == lineage]
    return any(
        position <= number and all((lineage, each) in there for each in range(position, number))
        for position in positions
    )


@given(histories(), policies())
def test_pruning_again_removes_nothing_more(holdings: Holdings, policy: Policy) -> None:
    left = after(holdings, decide(holdings, policy))
    assert after(left, decide(left, policy)) == left


@given(histories(), policies(), st.integers(-4000, 4000))
def test_a_failed_or_empty_backup_never_leads_to_a_deletion(holdings: Holdings, policy: Policy, days: int) -> None:
    """DBackup #154, docker-mysql-cron-backup #56."""
    kept = {backup for backup in after(holdings, decide(holdings, policy)).backups if backup in whole(holdings)}
    hollow = Kept("c", BEGIN + timedelta(days=days), sound=False)
    more = replace(holdings, backups=(*holdings.backups, hollow))
    assert kept <= set(after(more, decide(more, policy)).backups)


@given(histories(), policies())
def test_a_fault_found_in_a_backup_does_not_remove_it(holdings: Holdings, policy: Policy) -> None:
    stays = {verdict.id for verdict in decide(holdings, policy).backups if verdict.stays}
    for number, backup in enumerate(holdings.backups):
        counted = decide(replace(holdings, logs=()), policy).backups[number]
        if not backup.sound or not set(counted.reasons) & {"last", "daily", "weekly", "monthly", "yearly"}:
            continue
        faulty = (*holdings.backups[:number], replace(backup, sound=False), *holdings.backups[number + 1 :])
        left = {each.id for each in after(holdings, decide(replace(holdings, backups=faulty), policy)).backups}
        assert backup.id in left
        assert backup.id in stays


@given(histories(), policies())
def test_counts_are_counts(holdings: Holdings, policy: Policy) -> None:
    only = replace(policy, last=4, daily=0, weekly=0, monthly=0, yearly=0)
    good = whole(holdings)
    decision = decide(holdings, only)
    last = [verdict.id for verdict in decision.backups if "last" in verdict.reasons]
    assert [backup.id for backup in good[-4:]] == [each for each in last if each in {backup.id for backup in good}]


def _daily(count: int, **words: object) -> tuple[Kept, ...]:
    return tuple(
        Kept(f"b{day:04d}", BEGIN + timedelta(days=day), position=(0, day + 1), **words)  # type: ignore[arg-type]
        for day in range(count)
    )


def _stays(decision: Decision) -> list[str]:
    return [verdict.id for verdict in decision.backups if verdict.stays]


def test_two_years_of_nights_come_down_to_what_was_asked_for() -> None:
    policy = Policy(last=1, daily=3, weekly=2, monthly=2, yearly=2, binlog_days=0, zone=UTC)
    backups = _daily(730)  # 2026-01-01 to 2027-12-31, a Friday
    assert _stays(decide(Holdings(backups), policy)) == ["b0364", "b0698", "b0724", "b0727", "b0728", "b0729"]


def test_a_night_belongs_to_the_day_of_the_zone() -> None:
    at = datetime(2026, 5, 1, 20, 0, tzinfo=UTC)
    backups = (Kept("b1", at), Kept("b2", at + timedelta(hours=3)))
    policy = replace(PLAIN, last=0, weekly=0, monthly=0, yearly=0)
    assert _stays(decide(Holdings(backups), policy)) == ["b2"]
    assert _stays(decide(Holdings(backups), replace(policy, zone=ZoneInfo("America/New_York")))) == ["b2"]
    assert _stays(decide(Holdings(backups), replace(policy, zone=ZoneInfo("Europe/Berlin")))) == ["b1", "b2"]


def test_backups_that_have_stopped_make_nothing_old() -> None:
    backups = _daily(5)
    once = decide(Holdings(backups), PLAIN)
    assert _stays(once) == ["b0002", "b0003", "b0004"]
    assert _stays(
        decide(Holdings(tuple(replace(each, started=each.started.replace(year=2036)) for each in backups)), PLAIN)
    )


def test_reasons_are_told_in_words() -> None:
    full, child = Kept("b1", BEGIN, proved=True), Kept("b2", BEGIN + timedelta(days=9), parent="b1")
    gone = Kept("b0", BEGIN - timedelta(hours=1))
    decision = decide(Holdings((gone, full, child)), replace(PLAIN, last=1, daily=1, weekly=0, monthly=0, yearly=0))
    assert [(verdict.stays, verdict.reasons) for verdict in decision.backups] == [
        (False, ("no rule keeps it",)),
        (True, ("the newest that passed a drill", "needed by b2")),
        (True, ("the newest", "the newest that is whole", "last", "daily")),
    ]


def test_logs_before_the_backup_that_the_window_stands_on_go_from_the_beginning() -> None:
    logs = tuple(Log(f"l{day}", (0, day + 1), BEGIN + timedelta(days=day, hours=1)) for day in range(10))
    decision = decide(Holdings(_daily(10)[::3], logs), replace(PLAIN, last=1, daily=1, weekly=1, monthly=1, yearly=1))
    assert [verdict.id for verdict in decision.logs if not verdict.stays] == ["l0", "l1", "l2", "l3", "l4", "l5"]
    assert "the last 2 days of binary logs stand on it" in decision.backups[2].reasons
    assert decision.logs[6].reasons == ("needed from b0006 on",)
    assert decision.logs[8].reasons == ("of the last 2 days",)
