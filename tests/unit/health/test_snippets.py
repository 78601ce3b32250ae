"""What nginx includes for maintenance: the pattern for "before", and a page that no dollar sign breaks."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opsctl.health.snippets import before, http_snippet, own_page, server_snippet
from opsctl.health.state import Maintenance

# Ten digits, from 2001 to 2286.
SECONDS = st.integers(10**9, 10**10 - 1)
UNTIL = datetime(2026, 5, 1, 4, 30, tzinfo=UTC)
MAINTENANCE = Maintenance(reason="new disk", since=UNTIL - timedelta(hours=1), until=UNTIL, allow=("203.0.113.0/24",))


@given(SECONDS, SECONDS)
def test_the_pattern_matches_what_is_before_and_nothing_else(until: int, now: int) -> None:
    pattern = before(datetime.fromtimestamp(until, UTC))
    assert bool(re.fullmatch(pattern, str(now))) is (now < until)


@given(SECONDS)
def test_the_last_second_is_before_and_the_moment_itself_is_not(until: int) -> None:
    pattern = before(datetime.fromtimestamp(until, UTC))
    assert re.fullmatch(pattern, str(until)) is None
    assert (re.fullmatch(pattern, str(until - 1)) is not None) is (until > 10**9)


def test_without_maintenance_the_variable_is_empty_and_the_answer_absent() -> None:
    assert "$opsctl_maintenance" in http_snippet(None)
    assert "~" not in http_snippet(None)
    assert [line for line in server_snippet(None, None).splitlines() if not line.startswith("#")] == []


def test_retry_after_is_the_time_as_http_writes_it() -> None:
    assert 'add_header Retry-After "Fri, 01 May 2026 04:30:00 GMT" always;' in server_snippet(MAINTENANCE, None)


def test_visitors_do_not_read_the_reason() -> None:
    assert "new disk" not in server_snippet(MAINTENANCE, None) + http_snippet(MAINTENANCE)
    assert "04:30 on 1 May 2026 UTC" in own_page(UNTIL)


def test_a_page_of_ones_own_cannot_leave_its_quotes() -> None:
    text = server_snippet(MAINTENANCE, 'a "b" \\ $uri \\" }')
    assert 'return 503 "a \\"b\\" \\\\ &#36;uri \\\\\\" }";' in text
