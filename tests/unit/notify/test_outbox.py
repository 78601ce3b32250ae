"""The outbox: what is told when, to whom, and how often it is tried."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsctl.core.errors import OpsError
from opsctl.core.notify.outbox import LEASE, Message, Outbox, Trouble
from opsctl.core.rule import Severity

T0 = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
TARGETS = {Severity.CRITICAL: ("mail", "phone"), Severity.WARNING: ("mail",), Severity.INFO: ()}
FPM = Trouble(fingerprint="health/php", severity=Severity.WARNING, title="PHP is down", text="no answer")
DISK = Trouble(fingerprint="health/disk", severity=Severity.CRITICAL, title="the disk is full", text="0 bytes")


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "state" / "outbox.sqlite")


def hear(
    outbox: Outbox, at: datetime, *troubles: Trouble, scope: str = "health", unjudged: tuple[str, ...] = ()
) -> None:
    outbox.hear(scope, troubles, targets=TARGETS, unjudged=unjudged, again=DAY, at=at)


def sent(outbox: Outbox, at: datetime) -> list[Message]:
    """Everything that is due, taken as sent."""
    found = []
    while (message := outbox.claim(at)) is not None:
        outbox.sent(message, at)
        found.append(message)
    return found


def titles(outbox: Outbox, at: datetime) -> list[str]:
    return [message.title for message in sent(outbox, at)]


def test_trouble_goes_to_the_channels_of_its_severity(outbox: Outbox) -> None:
    hear(outbox, T0, FPM, DISK)
    assert [(message.target, message.title) for message in sent(outbox, T0)] == [
        ("mail", "PHP is down"),
        ("mail", "the disk is full"),
        ("phone", "the disk is full"),
    ]


def test_the_same_trouble_is_told_once_a_day(outbox: Outbox) -> None:
    told = []
    for minutes in range(0, 3 * 24 * 60, 90):
        hear(outbox, T0 + minutes * MINUTE, FPM)
        told += [(minutes, title) for title in titles(outbox, T0 + minutes * MINUTE)]
    assert told == [(0, "PHP is down"), (1440, "Still: PHP is down"), (2880, "Still: PHP is down")]


def test_its_end_is_told_once(outbox: Outbox) -> None:
    hear(outbox, T0, FPM)
    sent(outbox, T0)
    hear(outbox, T0 + 5 * MINUTE)
    [message] = sent(outbox, T0 + 5 * MINUTE)
    assert (message.title, message.ended) == ("Over: PHP is down", True)
    hear(outbox, T0 + 10 * MINUTE)
    assert titles(outbox, T0 + 10 * MINUTE) == []


def test_trouble_that_comes_and_goes_all_day_is_four_messages_and_none_of_them_a_lie(outbox: Outbox) -> None:
    told = []
    for number in range(40):
        at = T0 + number * 30 * MINUTE
        hear(outbox, at, *([FPM] if number % 2 == 0 else []))
        told += titles(outbox, at)
    assert told == ["PHP is down", "Over: PHP is down", "Again: PHP is down"]
    at = T0 + 3 * DAY
    hear(outbox, at)
    assert titles(outbox, at) == ["Over: PHP is down"]


def test_the_same_trouble_a_day_after_its_end_is_new(outbox: Outbox) -> None:
    hear(outbox, T0, FPM)
    hear(outbox, T0 + 5 * MINUTE)
    sent(outbox, T0 + 5 * MINUTE)
    hear(outbox, T0 + 2 * DAY, FPM)
    assert titles(outbox, T0 + 2 * DAY) == ["PHP is down"]


def test_what_could_not_be_looked_at_has_not_ended(outbox: Outbox) -> None:
    hear(outbox, T0, FPM)
    sent(outbox, T0)
    hear(outbox, T0 + 5 * MINUTE, unjudged=(FPM.fingerprint,))
    assert titles(outbox, T0 + 5 * MINUTE) == []
    assert [trouble for trouble, _ in outbox.troubles()] == [FPM]


def test_one_scope_says_nothing_about_another(outbox: Outbox) -> None:
    hear(outbox, T0, FPM)
    sent(outbox, T0)
    hear(outbox, T0 + 5 * MINUTE, scope="late")
    assert titles(outbox, T0 + 5 * MINUTE) == []


def test_a_clock_that_ran_ahead_does_not_silence_trouble(outbox: Outbox) -> None:
    hear(outbox, T0 + 400 * DAY, FPM)
    sent(outbox, T0 + 400 * DAY)
    hear(outbox, T0, FPM)
    assert titles(outbox, T0) == ["Still: PHP is down"]


def test_what_does_not_arrive_is_tried_again_twice_as_late_each_time_and_given_up_in_the_end(outbox: Outbox) -> None:
    hear(outbox, T0, FPM)
    at, over = T0, False
    for minutes in (1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360):
        message = outbox.claim(at)
        assert message is not None
        over = outbox.failed(message, "refused", at=at, give_up=DAY)
        assert over is (at - T0 >= DAY)
        assert [waiting.error for waiting in outbox.waiting()] == ([] if over else ["refused"])
        assert outbox.claim(at + minutes * MINUTE - timedelta(seconds=1)) is None
        at += minutes * MINUTE
    assert at - T0 < DAY
    last = outbox.claim(at)
    assert last is not None
    assert outbox.failed(last, "refused", at=T0 + DAY, give_up=DAY)
    assert outbox.claim(T0 + 9 * DAY) is None


def test_a_message_that_is_being_sent_is_not_sent_by_another_run(outbox: Outbox) -> None:
    hear(outbox, T0, FPM)
    assert outbox.claim(T0) is not None
    assert Outbox(outbox.path).claim(T0) is None
    assert Outbox(outbox.path).claim(T0 + LEASE) is not None


def test_a_later_ping_takes_the_place_of_one_that_waits(outbox: Outbox) -> None:
    outbox.put("ping:backup", Severity.INFO, "success", "", at=T0, alone=True)
    outbox.put("ping:backup", Severity.CRITICAL, "failure", "", at=T0 + MINUTE, alone=True)
    outbox.put("ping:drill", Severity.INFO, "success", "", at=T0 + MINUTE, alone=True)
    assert [(message.target, message.title) for message in outbox.waiting()] == [
        ("ping:backup", "failure"),
        ("ping:drill", "success"),
    ]


def test_what_the_spare_outbox_knows_is_taken_over(outbox: Outbox, tmp_path: Path) -> None:
    spare = Outbox(tmp_path / "run" / "outbox.sqlite")
    hear(spare, T0, DISK)
    sent(spare, T0)
    hear(outbox, T0, FPM)
    outbox.absorb(spare)
    assert not spare.path.exists()
    hear(outbox, T0 + 5 * MINUTE, FPM)
    assert titles(outbox, T0 + 5 * MINUTE) == ["PHP is down", "Over: the disk is full", "Over: the disk is full"]


def test_a_file_that_is_no_outbox_is_an_error_that_names_it(outbox: Outbox) -> None:
    outbox.path.parent.mkdir()
    outbox.path.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(OpsError, match="cannot be used") as caught:
        hear(outbox, T0, FPM)
    assert caught.value.where == str(outbox.path)
