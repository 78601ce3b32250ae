"""Messages reach real receivers: a mail server, a webhook, ntfy; and what does not arrive is not lost."""

import socket
from pathlib import Path

import pytest

from opsctl.core.notify.notifier import NOTIFICATION, NotificationBody
from opsctl.core.notify.outbox import Trouble
from opsctl.core.result import Outcome
from opsctl.core.rule import Severity
from tests.integration.notify.conftest import Desk
from tests.support.receivers import mail_server, ntfy, receiver

TOKEN = "tk_Zx81kQpV0aLmN3"
FPM = Trouble(
    fingerprint="health/php_fpm.www", severity=Severity.CRITICAL, title="PHP is down: ä €", text="line one\nline two"
)


def bodies(desk: Desk) -> list[tuple[Outcome, NotificationBody]]:
    records = [entry.record_of(NotificationBody) for entry in desk.ledger.query(NOTIFICATION)]
    return [(record.outcome, record.body) for record in records]


def test_trouble_and_its_end_reach_mail_webhook_and_ntfy(desk: Desk, tmp_path: Path) -> None:
    with mail_server(tmp_path / "mail") as mail, receiver() as hook, receiver(ntfy(TOKEN, "ops")) as topic:
        desk.channel(
            "mail", f"mailto://127.0.0.1:{mail.port}/?from=opsctl@acme.example&to=op@acme.example&mode=insecure"
        )
        desk.channel("hook", hook.url("json", "/hooks/secret-path"))
        desk.channel("phone", f"ntfy://{TOKEN}@127.0.0.1:{topic.port}/ops")
        notifier = desk.notifier()
        notifier.hear("health", [FPM])
        report = notifier.deliver()
        assert [(attempt.target, attempt.error) for attempt in report.attempts] == [
            ("mail", None),
            ("hook", None),
            ("phone", None),
        ]
        desk.later(minutes=5)
        notifier.hear("health", [])
        notifier.deliver()
        letters = {str(letter["Subject"]): letter for letter in mail.messages()}
        assert set(letters) == {"acme: PHP is down: ä €", "Over: acme: PHP is down: ä €"}
        letter = letters["acme: PHP is down: ä €"].get_body(("plain",))
        assert letter is not None
        assert letter.get_content().split() == ["line", "one", "line", "two"]
        assert [request.json()["type"] for request in hook.requests] == ["failure", "success"]
        assert hook.requests[0].json()["message"] == FPM.text
        assert [request.json()["title"] for request in topic.requests] == [
            "acme: PHP is down: ä €",
            "Over: acme: PHP is down: ä €",
        ]
    assert [outcome for outcome, _ in bodies(desk)] == [Outcome.PASSED, Outcome.PASSED]


def test_a_channel_hears_only_its_severities(desk: Desk) -> None:
    with receiver() as loud, receiver() as quiet:
        desk.channel("loud", loud.url("json"), Severity.CRITICAL)
        desk.channel("quiet", quiet.url("json"), Severity.INFO, Severity.WARNING)
        notifier = desk.notifier()
        warning = FPM.model_copy(update={"fingerprint": "health/x", "severity": Severity.WARNING, "title": "late"})
        notifier.hear("health", [FPM, warning])
        notifier.deliver()
    assert [request.json()["title"] for request in loud.requests] == [f"acme: {FPM.title}"]
    assert [request.json()["title"] for request in quiet.requests] == ["acme: late"]


def test_what_is_refused_arrives_at_a_later_occasion_and_both_are_in_the_ledger(desk: Desk) -> None:
    status = 503
    with receiver(lambda request: (status, b"")) as hook:
        desk.channel("hook", hook.url("json", "/hooks/secret-path"))
        notifier = desk.notifier()
        notifier.hear("health", [FPM])
        [attempt] = notifier.deliver().attempts
        assert attempt.error is not None
        assert "503" in attempt.error
        assert desk.notifier().deliver().attempts == []
        status = 200
        desk.later(minutes=2)
        [attempt] = desk.notifier().deliver().attempts
        assert attempt.error is None
    assert [outcome for outcome, _ in bodies(desk)] == [Outcome.FAILED, Outcome.PASSED]


def test_one_channel_that_fails_does_not_keep_another_from_hearing(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with receiver() as hook:
        desk.channel("gone", f"json://127.0.0.1:{port}/")
        desk.channel("hook", hook.url("json"))
        notifier = desk.notifier()
        notifier.hear("health", [FPM])
        attempts = notifier.deliver().attempts
        assert [attempt.error is None for attempt in attempts] == [False, True]
        assert len(hook.requests) == 1


def test_a_receiver_that_hangs_keeps_nobody_for_longer_than_the_settings_say(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        desk.channel("silent", f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=600")
        notifier = desk.notifier(timeout_s=1)
        notifier.hear("health", [FPM])
        [attempt] = notifier.deliver().attempts
        assert attempt.error is not None
        assert "no answer within 1 s" in attempt.error


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("json://127.0.0.1:{port}/s3cr3t-path", "not taken"),
        ("ntfy://s3cr3t-token@127.0.0.1:{port}/s3cr3t-topic", "not taken"),
        ("json://s3cr3t-user:s3cr3t-word@127.0.0.1:{port}/", "not taken"),
        ("s3cr3t-scheme://s3cr3t", "none that Apprise knows"),
    ],
)
def test_no_part_of_an_address_is_in_what_is_said_about_it(desk: Desk, url: str, why: str) -> None:
    with receiver(lambda request: (401, b"s3cr3t")) as hook:
        desk.channel("hook", url.format(port=hook.port))
        notifier = desk.notifier()
        notifier.hear("health", [FPM])
        [attempt] = notifier.deliver().attempts
    assert attempt.error is not None
    assert why in attempt.error
    assert "s3cr3t" not in attempt.error
    everything = b"".join(path.read_bytes() for path in (desk.directory / "state").iterdir())
    assert b"s3cr3t" not in everything


def test_an_address_that_others_may_read_is_not_used(desk: Desk) -> None:
    with receiver() as hook:
        desk.channel("hook", hook.url("json"))
        (desk.directory / "hook.url").chmod(0o644)
        notifier = desk.notifier()
        notifier.hear("health", [FPM])
        [attempt] = notifier.deliver().attempts
        assert attempt.error is not None
        assert "mode 0644" in attempt.error
        assert hook.requests == []


def test_a_test_reaches_every_channel_whatever_it_hears_otherwise(desk: Desk) -> None:
    with receiver() as hook:
        desk.channel("hook", hook.url("json"), Severity.CRITICAL)
        attempts = desk.notifier().test("acme: test", "hello")
        assert [(attempt.target, attempt.error) for attempt in attempts] == [("hook", None)]
        assert hook.requests[0].json()["message"] == "hello"
