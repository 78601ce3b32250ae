"""Rules about the CRM, on the demo's real tables: healthy, and really broken."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from anomaly_rules.collectors.crm import collectors
from anomaly_rules.settings import CrmSource
from tests.integration.anomalies.conftest import Own
from tests.support.measuring import NOW, Bench

MOMENT = f"TIMESTAMP '{NOW:%Y-%m-%d %H:%M:%S}'"


@pytest.fixture
def crm(own: Own) -> Own:
    """Sixty leads of the last two months, each with a card that went its usual way; paid invoices; calls."""
    own.load("crm_schema.sql")
    own.sql(
        "ALTER TABLE tblcalls ADD COLUMN follow_up_on DATE NULL",
        "INSERT INTO tblleads (company, email, phone, source, created_at) SELECT CONCAT('C', seq), "
        "CONCAT('c', seq, '@customer.example'), CONCAT('+91 98765 ', 10000 + seq), 'website', "
        f"{MOMENT} - INTERVAL seq DAY FROM seq_1_to_60",
        "INSERT INTO tblcards (lead_id, title, expected, changed_at) "
        "SELECT id, company, 1000, created_at + INTERVAL 1 HOUR FROM tblleads",
        # One day in 'contacted', two in 'quoted', give or take hours; the youngest have not come as far.
        "UPDATE tblcards SET stage = 'contacted', changed_at = changed_at + INTERVAL 5 HOUR "
        f"WHERE changed_at < {MOMENT} - INTERVAL 12 HOUR",
        "UPDATE tblcards SET stage = 'quoted', changed_at = changed_at + INTERVAL 24 + id MOD 9 HOUR "
        f"WHERE stage = 'contacted' AND changed_at < {MOMENT} - INTERVAL 40 HOUR",
        "UPDATE tblcards SET stage = 'won', changed_at = changed_at + INTERVAL 48 + id MOD 7 HOUR "
        f"WHERE stage = 'quoted' AND changed_at < {MOMENT} - INTERVAL 60 HOUR",
        "INSERT INTO tblcalls (card_id, direction, seconds, note, called_at, follow_up_on) "
        f"SELECT id, 'out', 60, 'agreed', {MOMENT} - INTERVAL 10 DAY, DATE({MOMENT}) - INTERVAL 5 DAY FROM tblcards",
        "INSERT INTO tblcalls (card_id, direction, seconds, note, called_at) "
        f"SELECT id, 'out', 60, 'called again', {MOMENT} - INTERVAL 5 DAY FROM tblcards",
        "INSERT INTO tblinvoices (lead_id, number, amount, status, issued_on) "
        "SELECT id, CONCAT('INV-', id), 100, IF(id > 20, 'paid', 'sent'), DATE(created_at) FROM tblleads",
    )
    return own


@pytest.fixture
def bench(crm: Own, tmp_path: Path) -> Bench:
    source = CrmSource(name="crm", database=crm.name, call_follow_up="follow_up_on")
    return Bench(tmp_path, tuple(collectors(crm.database, source, "UTC")))


def stuck(crm: Own) -> None:
    crm.sql(
        "SET @n = 0",
        f"UPDATE tblcards SET stage = 'quoted', changed_at = {MOMENT} - INTERVAL 9 DAY WHERE stage = 'won' AND id < 25",
    )


def nobody(crm: Own) -> None:
    crm.sql(
        "INSERT INTO tblleads (company, email, phone, source, created_at) "
        f"VALUES ('New', 'new@customer.example', '+91 1', 'call', {MOMENT} - INTERVAL 30 HOUR)"
    )


def twice(crm: Own) -> None:
    crm.sql(
        "INSERT INTO tblleads (company, email, phone, source, created_at) VALUES "
        f"('C7 again', 'c7.again@customer.example', '098765-10007', 'call', {MOMENT} - INTERVAL 1 HOUR)"
    )


def forgotten(crm: Own) -> None:
    crm.sql("DELETE FROM tblcalls WHERE note = 'called again' AND card_id = 8")


def unpaid(crm: Own) -> None:
    crm.sql("UPDATE tblinvoices SET status = 'sent' WHERE issued_on < DATE_SUB('2026-05-20', INTERVAL 31 DAY) LIMIT 3")


BROKEN: dict[str, Callable[[Own], None]] = {
    "stuck-cards": stuck,
    "unassigned-leads": nobody,
    "duplicate-leads": twice,
    "overdue-followups": forgotten,
    "overdue-invoices": unpaid,
}


def test_a_healthy_crm_raises_nothing(bench: Bench) -> None:
    bench.read()
    for rule in BROKEN:
        bench.assert_quiet(rule)


@pytest.mark.parametrize("rule", BROKEN)
def test_what_is_broken_is_found_and_nothing_else(crm: Own, bench: Bench, rule: str) -> None:
    BROKEN[rule](crm)
    bench.read()
    bench.assert_fires(rule)
    for other in BROKEN.keys() - {rule}:
        bench.assert_quiet(other)


def test_stuck_is_judged_by_each_stages_own_history(crm: Own, bench: Bench) -> None:
    stuck(crm)
    bench.read()
    bench.assert_fires("stuck-cards", about="quoted")
    assert bench.newest("crm.cards_stuck", source="crm", stage="contacted") == 0


def test_a_stage_in_which_cards_always_rest_long_is_not_stuck_at_that_age(crm: Own, bench: Bench) -> None:
    crm.sql("UPDATE tblcard_stages SET changed_at = changed_at + INTERVAL 9 DAY WHERE from_stage = 'quoted'")
    crm.sql(f"UPDATE tblcards SET stage = 'quoted', changed_at = {MOMENT} - INTERVAL 9 DAY WHERE id = 30")
    bench.read()
    bench.assert_quiet("stuck-cards")


def test_a_column_that_is_not_there_is_named_and_the_rest_is_measured(crm: Own, bench: Bench) -> None:
    crm.sql("ALTER TABLE tblinvoices DROP COLUMN status")
    done = {each.name: each.why for each in bench.collect()}
    assert done.pop("crm: invoices overdue") == f"table tblinvoices has no column status ({crm.name})"
    assert set(done.values()) == {None}
    bench.assert_quiet("unassigned-leads")


def test_a_table_that_is_not_there_is_named(crm: Own, bench: Bench) -> None:
    crm.sql("DROP TABLE tblcard_stages")
    done = {each.name: each.why for each in bench.collect()}
    assert done["crm: cards stuck"] == f"database {crm.name} has no table tblcard_stages that can be read"
    assert done["crm: leads unassigned"] is None


def test_an_assigned_column_decides_where_there_is_one(crm: Own, tmp_path: Path) -> None:
    crm.sql("ALTER TABLE tblleads ADD COLUMN assigned INT NULL", "UPDATE tblleads SET assigned = 3 WHERE id <> 9")
    source = CrmSource(name="crm", database=crm.name, lead_assigned="assigned")
    bench = Bench(tmp_path, tuple(collectors(crm.database, source, "UTC")))
    bench.read()
    assert bench.newest("crm.leads_unassigned", source="crm") == 1


def test_a_crm_without_some_tables_is_measured_by_the_others(crm: Own, tmp_path: Path) -> None:
    source = CrmSource(name="crm", database=crm.name, cards="", moves="", invoices="", lead_assigned="")
    bench = Bench(tmp_path, tuple(collectors(crm.database, source, "UTC")))
    bench.read(NOW + timedelta(hours=1))
    assert {collector.name for collector in bench.collectors} == {
        *("crm: tblleads", "crm: tblcalls", "crm: leads duplicate")
    }
