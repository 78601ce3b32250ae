"""What doctor looks at in what was done so far: the ledger's chain, and times that have not come yet."""

import sqlite3
import stat
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from opsctl.core import clock, process
from opsctl.core.clock import utcnow
from tests.integration.overview.conftest import DrillHost

_YEARS = timedelta(days=20 * 365)


def test_a_record_that_was_changed_fails_the_ledger(drill_host: DrillHost) -> None:
    drill_host.passes("ledger.chain")
    with sqlite3.connect(drill_host.directory / "state/ledger.sqlite") as database:
        database.execute("DROP TRIGGER entry_no_update")
        database.execute("UPDATE entry SET payload = replace(payload, 'passed', 'failed') WHERE seq = 2")
    database.close()
    drill_host.fails("ledger.chain", "record 2", "opsctl ledger verify")


def test_a_ledger_that_is_none_could_not_be_looked_at(drill_host: DrillHost) -> None:
    (drill_host.directory / "state/ledger.sqlite").write_bytes(b"nothing that SQLite knows" * 100)
    result = drill_host.look("ledger.chain")
    assert result.outcome == "could_not_run"
    assert result.hint


def test_a_machine_on_which_nothing_has_run_yet_passes(drill_host: DrillHost) -> None:
    for path in (drill_host.directory / "state").glob("ledger*"):
        path.unlink()
    drill_host.passes("ledger.chain")
    drill_host.passes("clock.order")


@pytest.mark.parametrize("without_ledger", [False, True])
def test_a_clock_that_is_behind_what_was_done_fails(
    drill_host: DrillHost, monkeypatch: pytest.MonkeyPatch, *, without_ledger: bool
) -> None:
    """The machine's own ledger tells, and on a new machine the repository's head."""

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Stepped":
            return cls.fromtimestamp((datetime.now(UTC) - _YEARS).timestamp(), tz)

    drill_host.passes("clock.order")
    if without_ledger:
        for path in (drill_host.directory / "state").glob("ledger*"):
            path.unlink()
    monkeypatch.setattr(clock, "datetime", Stepped)
    assert utcnow() < datetime.now(UTC)
    what = "the repository's newest head" if without_ledger else "in the ledger"
    drill_host.fails("clock.order", what, "timedatectl")


@pytest.mark.parametrize(
    ("says", "container", "outcome"),
    [("yes", False, "passed"), ("no", False, "failed"), ("no", True, "passed")],
    ids=["synchronised", "left alone", "a container's"],
)
def test_a_clock_that_nothing_keeps_right_fails_unless_it_is_anothers_to_set(
    drill_host: DrillHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, says: str, container: bool, outcome: str
) -> None:
    """What systemd answers on such machines; this one's clock is not to be touched."""
    for name, script in (("timedatectl", f"echo {says}"), ("systemd-detect-virt", f"exit {0 if container else 1}")):
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setitem(process.BASE_ENV, "PATH", f"{tmp_path}:{process.BASE_ENV['PATH']}")
    result = drill_host.look("clock.set")
    assert result.outcome == outcome
    assert result.passed or "timedatectl set-ntp true" in (result.hint or "")
