"""The dead man's switch: a ping when a job starts, succeeds and fails; and a state directory without room."""

from pathlib import Path

from opsctl.core.notify.outbox import Trouble
from opsctl.core.rule import Severity
from tests.integration.notify.conftest import Desk
from tests.support.disk import MIB, small_disk
from tests.support.receivers import receiver

FULL = Trouble(fingerprint="health/disk", severity=Severity.CRITICAL, title="the disk is full", text="0 bytes")


def test_start_success_and_failure_each_ping_their_address_with_the_last_lines(desk: Desk) -> None:
    with receiver() as switch:
        desk.channel("hook", switch.url("json"))
        notifier = desk.notifier(ping_url_file=desk.secret("ping.url", switch.url(path="/ping/key/{job}/")))
        notifier.ping("backup", "start", "")
        notifier.ping("backup", "success", "backup 20260501 is there\n")
        notifier.deliver()
        notifier.ping("backup", "failure", "x" * 9000 + "\nError: the disk is full")
        notifier.deliver()
    assert [(request.method, request.path) for request in switch.requests] == [
        ("POST", "/ping/key/backup/start"),
        ("POST", "/ping/key/backup"),
        ("POST", "/ping/key/backup/fail"),
    ]
    assert switch.requests[1].body == b"backup 20260501 is there\n"
    assert switch.requests[2].body.endswith(b"\nError: the disk is full")
    assert len(switch.requests[2].body) == 4000


def test_an_end_that_was_not_heard_is_told_later_but_a_start_is_not(desk: Desk) -> None:
    status = 500
    with receiver(lambda request: (status, b"")) as switch:
        settings = {"ping_url_file": desk.secret("ping.url", switch.url(path="/key"))}
        notifier = desk.notifier(**settings)
        notifier.ping("backup", "start", "")
        notifier.ping("backup", "failure", "why")
        report = notifier.deliver()
        assert [(attempt.title, attempt.error is None) for attempt in report.attempts] == [
            ("start", False),
            ("failure", False),
        ]
        assert "key" not in str(report.attempts)
        status = 200
        desk.later(minutes=2)
        notifier.deliver()
    assert [request.path for request in switch.requests] == ["/key/start", "/key/fail", "/key/fail"]


def test_without_an_address_nothing_is_pinged(desk: Desk) -> None:
    notifier = desk.notifier()
    notifier.ping("backup", "failure", "")
    assert notifier.deliver().attempts == []


def test_somebody_hears_of_a_full_disk_although_nothing_can_be_written_there(desk: Desk, tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 2 * MIB) as disk, receiver() as hook:
        desk.channel("hook", hook.url("json"))
        desk.notifier().hear("health", [])
        disk.leave(0)
        notifier = desk.notifier()
        notifier.hear("health", [FULL])
        report = notifier.deliver()
        assert [attempt.error for attempt in report.attempts] == [None]
        assert any("the disk is full" in problem for problem in report.problems)
        desk.later(minutes=5)
        notifier.hear("health", [FULL])
        assert notifier.deliver().attempts == []
        disk.make_room()
        desk.later(minutes=5)
        notifier.hear("health", [])
        notifier.deliver()
    assert [request.json()["title"] for request in hook.requests] == [
        "acme: the disk is full",
        "Over: acme: the disk is full",
    ]
