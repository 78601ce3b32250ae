"""Times: UTC inside, a zone always."""

from datetime import UTC, datetime

import pytest

from opsctl.core.clock import compact, in_order, iso, parse_instant
from opsctl.core.errors import ExitCode, SettingsError


@pytest.mark.parametrize(
    ("text", "hour"), [("2026-05-01T02:30:00Z", 2), ("2026-05-01T08:00:00+05:30", 2), ("2026-04-30 22:30:00-04:00", 2)]
)
def test_a_time_with_a_zone_becomes_utc(text: str, hour: int) -> None:
    assert parse_instant(text) == datetime(2026, 5, 1, hour, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-05-01T02:30:00", "2026-05-01"])
def test_a_time_without_a_zone_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(SettingsError, match="no time zone") as caught:
        parse_instant(text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert f"{text}Z" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="not an ISO 8601 time"):
        parse_instant(text)


def test_a_moment_is_written_the_same_from_every_zone() -> None:
    moment = parse_instant("2026-05-01T16:30:00+14:00")
    assert compact(moment) == "20260501T023000Z"
    assert iso(moment) == "2026-05-01T02:30:00Z"


def test_keys_stay_in_order_when_a_clock_is_set_back() -> None:
    newest = "20260501T023000Z-full-1a2b3c4d"
    before, after = datetime(2026, 5, 1, 2, 29, tzinfo=UTC), datetime(2026, 5, 1, 2, 31, tzinfo=UTC)
    assert in_order(after, newest) == after
    assert in_order(after, None) == after
    assert compact(in_order(before, newest)) == "20260501T023001Z"
