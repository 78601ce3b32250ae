"""Unit files: what stands in them, and that each job is shut in as far as it still works."""

from dataclasses import replace
from pathlib import Path

import pytest

from opsctl.core.errors import SettingsError
from opsctl.schedule.machine import Planned, find, planned
from opsctl.schedule.settings import JobSection, ScheduleSection
from opsctl.schedule.units import MARK, service, timer, units
from tests.unit.schedule.machines import EVERYTHING


def planned_job(name: str, **changes: object) -> Planned:
    told = [JobSection.model_validate({"name": name, **changes})] if changes else []
    return find(planned(EVERYTHING, ScheduleSection(), told), EVERYTHING, name)


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_timer_catches_up_and_says_its_calendar_in_utc() -> None:
    found = lines(timer(planned_job("backup", calendar="*-*-* 02:00; Sun *-*-* 14:00")))
    assert found[0] == MARK
    assert [line for line in found if line.startswith("OnCalendar=")] == [
        "OnCalendar=*-*-* 02:00 UTC",
        "OnCalendar=Sun *-*-* 14:00 UTC",
    ]
    assert "Persistent=true" in found
    assert "RandomizedDelaySec=900" in found


def test_a_service_runs_what_can_be_typed_by_hand_as_the_jobs_own_user_and_gives_up_after_the_job_itself() -> None:
    found = lines(service(planned_job("backup", user="opsctl", timeout_s=100), EVERYTHING))
    words = "/usr/local/bin/opsctl --config /etc/opsctl/opsctl.toml --quiet schedule run backup"
    assert f"ExecStart={words}" in found
    assert "User=opsctl" in found
    assert "TimeoutStartSec=160" in found


def test_a_service_may_write_only_where_its_job_writes() -> None:
    written = {line for line in lines(service(planned_job("backup"), EVERYTHING)) if line.startswith("ReadWritePaths=")}
    assert written == {"ReadWritePaths=-/var/lib/opsctl", "ReadWritePaths=-/var/backups/opsctl"}
    assert "ReadWritePaths=-/srv/scratch" in lines(service(planned_job("drill"), EVERYTHING))
    assert "ProtectSystem=strict" in lines(service(planned_job("drill"), EVERYTHING))


def test_a_lock_directory_in_run_is_made_at_each_start_and_kept() -> None:
    found = lines(service(planned_job("backup"), EVERYTHING))
    assert {"RuntimeDirectory=opsctl", "RuntimeDirectoryPreserve=yes"} <= set(found)
    elsewhere = replace(EVERYTHING, lock_dir=Path("/srv/locks"))
    assert "ReadWritePaths=-/srv/locks" in lines(service(planned_job("backup"), elsewhere))


def test_secrets_are_handed_over_as_credentials_to_the_jobs_that_open_them() -> None:
    machine = replace(EVERYTHING, secrets={**EVERYTHING.secrets, "identities": (Path("/etc/opsctl/identity.txt"),)})
    credential = "LoadCredential=identity.txt:/etc/opsctl/identity.txt"
    assert credential in lines(service(planned_job("drill"), machine))
    assert credential not in lines(service(planned_job("backup"), machine))
    assert "LoadCredential=operator.url:/etc/opsctl/operator.url" in lines(service(planned_job("backup"), machine))


def test_two_secrets_of_one_file_name_are_refused() -> None:
    twice = replace(EVERYTHING, secrets={"signing": (Path("/a/key"),), "repositories": (Path("/b/key"),)})
    with pytest.raises(SettingsError, match="the same file name"):
        service(planned_job("backup"), twice)


def test_another_user_than_root_reads_what_belongs_to_others_and_has_no_other_right() -> None:
    found = lines(service(planned_job("backup", user="mysql"), EVERYTHING))
    assert "AmbientCapabilities=CAP_DAC_READ_SEARCH" in found
    assert "CapabilityBoundingSet=CAP_DAC_READ_SEARCH" in found
    assert "CapabilityBoundingSet=" in lines(service(planned_job("drill", user="opsctl"), EVERYTHING))


def test_a_job_with_a_sandbox_may_make_namespaces_and_no_other_may() -> None:
    assert "RestrictNamespaces=yes" in lines(service(planned_job("backup"), EVERYTHING))
    assert "RestrictNamespaces=yes" not in lines(service(planned_job("drill"), EVERYTHING))


def test_temporary_files_are_private_unless_something_that_is_needed_lies_there() -> None:
    assert "PrivateTmp=yes" in lines(service(planned_job("drill"), EVERYTHING))
    there = replace(EVERYTHING, writes={"scratch": (Path("/var/tmp"),)})
    assert "PrivateTmp=yes" not in lines(service(planned_job("drill"), there))


def test_odd_paths_are_quoted() -> None:
    odd = replace(EVERYTHING, config=Path('/etc/my "100%" $files/opsctl.toml'))
    assert r'--config "/etc/my \"100%%\" $$files/opsctl.toml" --quiet' in service(planned_job("backup"), odd)


def test_every_job_has_a_timer_and_a_service() -> None:
    plan = planned(EVERYTHING, ScheduleSection(), ())
    names = {f"opsctl-{each.job.name}.{kind}" for each in plan for kind in ("timer", "service")}
    assert set(units(plan, EVERYTHING)) == names
