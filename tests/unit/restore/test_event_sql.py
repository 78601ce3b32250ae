"""Following the status of events through the statements about them."""

import pytest

from restore_drill.event_sql import EventChange, EventStatus, parse_event_statement
from restore_drill.event_status import follow

ON, OFF, REPLICA = EventStatus.ENABLED, EventStatus.DISABLED, EventStatus.SLAVESIDE_DISABLED


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "CREATE DEFINER=`root`@`localhost` event e1 on schedule every 1 day do select 1",
            EventChange("create", ("shop", "e1"), status=ON),
        ),
        (
            'CREATE DEFINER="root"@"localhost" event "e 2" on schedule every 1 day disable do select 1',
            EventChange("create", ("shop", "e 2"), status=OFF),
        ),
        (
            "create or replace definer=current_user() event a.`b``c` on schedule at now() disable on slave do set @x=1",
            EventChange("create", ("a", "b`c"), status=REPLICA),
        ),
        (
            "create event if not exists e on schedule every 1 day comment 'disable' do begin set @disable = 1; end",
            EventChange("create", ("shop", "e"), if_not_exists=True, status=ON),
        ),
        (
            "create /* disable */ event e -- disable\n on schedule every 1 day # disable\n do select 1",
            EventChange("create", ("shop", "e"), status=ON),
        ),
        (
            "create /*!50106 event e on schedule every 1 day disable */ do select 1",
            EventChange("create", ("shop", "e"), status=OFF),
        ),
        ("alter event e disable", EventChange("alter", ("shop", "e"), status=OFF)),
        ("alter event e enable", EventChange("alter", ("shop", "e"), status=ON)),
        ("alter event e rename to x.f", EventChange("alter", ("shop", "e"), renamed=("x", "f"))),
        ("alter event e do set @disable = 1", EventChange("alter", ("shop", "e"))),
        ("drop event if exists e", EventChange("drop", ("shop", "e"))),
        ("drop database if exists other", EventChange("drop", ("other", ""))),
    ],
)
def test_statements_about_events(sql: str, expected: EventChange) -> None:
    assert parse_event_statement(sql, "shop") == expected


@pytest.mark.parametrize(
    "sql", ["create table event (id int)", "alter table t disable keys", "drop table t", "", "create", "flush logs"]
)
def test_other_statements_are_none(sql: str) -> None:
    assert parse_event_statement(sql, "shop") is None


def test_a_status_follows_its_event_through_its_life() -> None:
    known = {("shop", "old"): OFF, ("gone", "e"): ON, ("gone", "f"): ON}
    for sql in (
        "create event e on schedule every 1 day do select 1",
        "alter event e disable",
        "alter event e comment 'still disabled'",
        "create event if not exists old on schedule every 1 day do select 1",
        "alter event old rename to new",
        "create event short on schedule every 1 day do select 1",
        "drop event short",
        "drop database gone",
    ):
        change = parse_event_statement(sql, "shop")
        assert change is not None
        follow(known, change)
    assert known == {("shop", "e"): OFF, ("shop", "new"): OFF}
