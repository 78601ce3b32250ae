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
        (
            "INSERT command denied to user 'x'@'localhost' for column 'seq' in table `vault`.`audit`",
            "GRANT INSERT ON `vault`.`audit`",
        ),
    ],
)
def test_the_missing_privilege_is_granted(said: str, grant: str) -> None:
    assert grant_for(said, "x") == f"{grant} TO 'x'@'localhost'"
    assert grant_hint(said, "x") == f"as the database's root: {grant} TO 'x'@'localhost'"


def test_without_a_name_of_it_the_grants_are_shown() -> None:
    assert grant_for("Access denied", "x") is None
    assert grant_hint("Access denied", "x").endswith("SHOW GRANTS FOR 'x'@'localhost'")
