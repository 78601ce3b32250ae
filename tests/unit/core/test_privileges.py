"""The SQL that gives what the server has missed, from its own words."""

import pytest

from opsctl.core.mariadb.privileges import grant_for, grant_hint


@pytest.mark.parametrize(
    ("said", "grant"),
    [
        (
            "Access denied; you need (at least one of) the RELOAD privilege(s) for this operation",
            "GRANT RELOAD ON *.*",
        ),
        (
            "Access denied; you need (at least one of) the SUPER, BINLOG MONITOR privilege(s) for this operation",
            "GRANT BINLOG MONITOR ON *.*",
        ),
        (
            "SELECT command denied to user 'x'@'localhost' for table `opsctl`.`heartbeat`",
            "GRANT SELECT ON `opsctl`.`heartbeat`",
        ),
    ],
)
def test_the_missing_privilege_is_granted(said: str, grant: str) -> None:
    assert grant_for(said, "x") == f"{grant} TO 'x'@'localhost'"
    assert grant_hint(said, "x") == f"as the database's root: {grant} TO 'x'@'localhost'"


@pytest.mark.parametrize(
    "said",
    ["Access denied", "SELECT command denied to user 'x'@'localhost' for column 'at' in table 'heartbeat'"],
)
def test_what_the_server_does_not_name_whole_is_not_guessed(said: str) -> None:
    assert grant_for(said, "x") is None
    assert grant_hint(said, "x").endswith("SHOW GRANTS FOR 'x'@'localhost'")
