"""A clock that ran ahead and was set back: names stay in order, nothing looks fresher than it is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from backup.records import BackupBody
from opsctl.cli.main import run
from opsctl.core import clock
from opsctl.core.errors import ExitCode
from opsctl.overview import wire
from opsctl.overview.status import Status, look
from tests.integration.kills.invariants import published
from tests.integration.kills.machine import Machine

_ALL: tuple[tuple[str, ...], ...] = (("backup", "run"), ("binlog", "ship"), ("drill", "run"))
_TOO_FAR = timedelta(days=60)
Clock = Callable[[timedelta], None]


@pytest.fixture
def clock_ahead_by(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Set the clock that the program reads; the database's stays right."""

    def ahead_by(step: timedelta) -> None:
        class Stepped(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> "Stepped":
                return cls.fromtimestamp((datetime.now(UTC) + step).timestamp(), tz)

        monkeypatch.setattr(clock, "datetime", Stepped)

    return ahead_by


def do(machine: Machine, *words: str) -> ExitCode:
    """Run a command in this process, whose clock can be set."""
    return ExitCode(run(["--config", str(machine.config), *words]))


def status(machine: Machine) -> Status:
    settings = machine.settings
    return look(settings, wire.surveys(settings), wire.ledger(settings))


def test_names_stay_in_order_when_a_clock_that_ran_ahead_is_set_back(machine: Machine, clock_ahead_by: Clock) -> None:
    before = published(machine)
    for step in (_TOO_FAR, timedelta(0)):
        clock_ahead_by(step)
        for words in _ALL:
            newest = wire.catalog(machine.settings).newest_head()
            assert do(machine, *words) == ExitCode.DONE
            head = wire.catalog(machine.settings).newest_head()
            assert head is not None
            assert newest is not None
            assert head.at > newest.at or words[0] == "drill"
    after = published(machine)
    assert not before.lost(after)
    catalog = wire.catalog(machine.settings)
    made = [entry.record_of(BackupBody).body.backup_id for entry in wire.ledger(machine.settings).query("backup")]
    assert made == sorted(made) == catalog.backup_ids()
    drills = [entry.record().finished for entry in wire.ledger(machine.settings).query("drill")]
    assert [drill.finished for each in wire.surveys(machine.settings) for drill in each.drills] == drills
    head = catalog.newest_head()
    assert head is not None
    assert head.newest_backup == made[-1]


def test_what_a_clock_that_ran_ahead_has_dated_is_not_fresh_for_longer(
    machine: Machine, clock_ahead_by: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock_ahead_by(_TOO_FAR)
    for words in _ALL:
        assert do(machine, *words) == ExitCode.DONE
    assert status(machine).due == ()
    clock_ahead_by(timedelta(0))
    due = [each.command for each in status(machine).due]
    assert due == ["opsctl backup run", "opsctl binlog ship"]  # the drill of before the step still counts
    clock_ahead_by(_TOO_FAR - timedelta(days=1))
    assert [each.command for each in status(machine).due][-1] == "opsctl drill run"
    capsys.readouterr()
    assert do(machine, "ledger", "list") == ExitCode.DONE
    assert " fresh" not in capsys.readouterr().out


def test_a_shipment_by_a_clock_behind_its_own_heartbeats_says_so(
    machine: Machine, clock_ahead_by: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    before = published(machine)
    clock_ahead_by(-timedelta(hours=2))
    assert do(machine, "binlog", "ship") == ExitCode.INTEGRITY
    said = " ".join(capsys.readouterr().err.split())
    assert "this machine's clock was set back" in said
    assert "timedatectl" in said
    assert len(published(machine).segments) > len(before.segments)
    clock_ahead_by(timedelta(0))
    assert do(machine, "binlog", "ship") == ExitCode.DONE
    assert not before.lost(published(machine))
