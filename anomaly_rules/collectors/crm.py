"""A CRM: cards that are stuck, leads without anybody or that came twice, follow-ups and invoices that are overdue."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Collector, Reading, Span, gauges, labels
from anomaly_rules.collectors.clock import naive
from anomaly_rules.collectors.database import Database, number, quote, table
from anomaly_rules.collectors.rows import RowCounts
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.settings import CrmSource
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.rule import Labels, MetricId


def _gauge(name: str, title: str, *more: str) -> Metric:
    return Metric(
        id=MetricId(name), title=title, cadence=Cadence.HOURLY, form="gauge", labels=tuple(sorted(("source", *more)))
    )


STUCK = _gauge("crm.cards_stuck", "the number of cards that rest longer than those of their stage do", "stage")
UNASSIGNED = _gauge("crm.leads_unassigned", "the number of leads that nobody looks after")
DUPLICATE = _gauge("crm.leads_duplicate", "the number of leads of a week that came before")
FOLLOW_UPS = _gauge("crm.followups_overdue", "the number of overdue follow-ups")
INVOICES = _gauge("crm.invoices_overdue", "the number of overdue invoices")

STAYS_DAYS = 365
FEWEST_STAYS = 20
"""A stage's own history: completed stays of a year; with fewer than this nothing can be said of the stage."""

FACTOR = 1.5
"""Stuck is a card that rests this many times longer than 95% of its stage's stays took, and longer than a day."""

Look = Callable[[Connection, CrmSource, Span], Iterator[tuple[float, Labels]]]


@dataclass(frozen=True)
class CrmLook:
    """One look at the CRM."""

    server: Database
    crm: CrmSource
    metric: Metric
    look: Look
    history_days: float = 0
    revise_days: float = 0

    @property
    def name(self) -> str:
        """The source and what is looked at."""
        return f"{self.crm.name}: {self.metric.id.partition('.')[2].replace('_', ' ')}"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The one that is looked at."""
        return (self.metric,)

    def read(self, span: Span) -> Reading:
        """Look. Raises OpsError that names the table or column that is not there."""
        with self.server.connect() as connection:
            found = tuple(self.look(connection, self.crm, span))
        return gauges(span, ((self.metric, value, labels(source=self.crm.name, **dict(more))) for value, more in found))


def collectors(server: Database, crm: CrmSource, days_in: str) -> Iterator[Collector]:
    """What can be measured of a CRM with these tables and columns."""
    grows = ((crm.leads, crm.lead_created), (crm.moves, crm.move_at), (crm.calls, crm.call_at))
    for name, time in grows:
        if name:
            yield RowCounts(server, crm.name, name, crm.database, name, time, crm.stored_in, days_in)
    if crm.cards and crm.moves:
        yield CrmLook(server, crm, STUCK, stuck)
    if crm.leads and (crm.lead_assigned or crm.cards):
        yield CrmLook(server, crm, UNASSIGNED, unassigned)
    if crm.leads and (crm.lead_phone or crm.lead_email):
        yield CrmLook(server, crm, DUPLICATE, duplicates)
    if crm.calls and crm.call_follow_up:
        yield CrmLook(server, crm, FOLLOW_UPS, follow_ups)
    if crm.invoices:
        yield CrmLook(server, crm, INVOICES, invoices)


def stuck(connection: Connection, crm: CrmSource, span: Span) -> Iterator[tuple[float, Labels]]:
    """Cards for each stage that rest longer than the stage's own history explains.

    A stay ends with a move out of the stage and begins with the card's move before, or when the card was made.
    """
    made = [crm.card_created] if crm.card_created else []
    cards = table(connection, crm.database, crm.cards, ["id", crm.card_stage, crm.card_changed, *made])
    moves = table(connection, crm.database, crm.moves, [crm.move_card, crm.move_from, crm.move_at])
    card, left, at = quote(crm.move_card), quote(crm.move_from), quote(crm.move_at)
    began = f"LAG(m.{at}) OVER (PARTITION BY m.{card} ORDER BY m.{at})"
    if made:
        began = f"COALESCE({began}, c.{quote(crm.card_created)})"
    now = naive(span.now, ZoneInfo(crm.stored_in))
    usual = {
        stage: (float(p95), int(count))
        for stage, p95, count in rows(
            connection,
            "SELECT DISTINCT stage, PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY stayed) OVER (PARTITION BY stage), "  # noqa: S608
            "COUNT(*) OVER (PARTITION BY stage) FROM ("
            f"SELECT m.{left} AS stage, m.{at} AS ended, TIMESTAMPDIFF(SECOND, {began}, m.{at}) AS stayed "
            f"FROM {moves.quoted} m JOIN {cards.quoted} c ON c.id = m.{card}) stays "
            "WHERE stayed >= 0 AND ended > %s - INTERVAL %s DAY AND ended <= %s",
            now,
            STAYS_DAYS,
            now,
        )
    }
    resting = rows(
        connection,
        f"SELECT {quote(crm.card_stage)}, TIMESTAMPDIFF(SECOND, {quote(crm.card_changed)}, %s) FROM {cards.quoted} "  # noqa: S608
        f"WHERE {quote(crm.card_stage)} NOT IN %s AND {quote(crm.card_changed)} IS NOT NULL",
        now,
        crm.last_stages or ("",),
    )
    for stage, (p95, count) in sorted(usual.items()):
        if count >= FEWEST_STAYS and stage not in crm.last_stages:
            limit = max(86_400.0, FACTOR * p95)
            yield sum(1 for in_stage, rests in resting if in_stage == stage and rests > limit), labels(stage=stage)


def unassigned(connection: Connection, crm: CrmSource, span: Span) -> Iterator[tuple[float, Labels]]:
    """Leads older than they may be without somebody, or without a card; those of the last 90 days."""
    leads = table(
        connection,
        crm.database,
        crm.leads,
        ["id", crm.lead_created, *([crm.lead_assigned] if crm.lead_assigned else [])],
    )
    if crm.lead_assigned:
        nobody = f"COALESCE(l.{quote(crm.lead_assigned)}, '') IN ('', '0')"
    else:
        cards = table(connection, crm.database, crm.cards, [crm.card_lead])
        nobody = f"NOT EXISTS (SELECT 1 FROM {cards.quoted} c WHERE c.{quote(crm.card_lead)} = l.id)"  # noqa: S608
    now = naive(span.now, ZoneInfo(crm.stored_in))
    created = f"l.{quote(crm.lead_created)}"
    statement = (
        f"SELECT COUNT(*) FROM {leads.quoted} l WHERE {nobody} "  # noqa: S608 - names are quoted
        f"AND {created} > %s - INTERVAL 90 DAY AND {created} <= %s - INTERVAL %s SECOND"
    )
    yield number(connection, statement, now, now, crm.assign_hours * 3600), ()


def duplicates(connection: Connection, crm: CrmSource, span: Span) -> Iterator[tuple[float, Labels]]:
    """Leads of the last seven days whose telephone number or address an earlier lead has."""
    known = [column for column in (crm.lead_phone, crm.lead_email) if column]
    leads = table(connection, crm.database, crm.leads, ["id", crm.lead_created, *known])
    same = []
    if crm.lead_phone:
        same.append(("phone", f"RIGHT(REGEXP_REPLACE({quote(crm.lead_phone)}, '[^0-9]', ''), 10)", 7))
    if crm.lead_email:
        same.append(("email", f"LOWER(TRIM({quote(crm.lead_email)}))", 3))
    created, now = quote(crm.lead_created), naive(span.now, ZoneInfo(crm.stored_in))
    twice = " UNION ".join(
        f"SELECT id FROM (SELECT id, {created} AS made, MIN(id) OVER (PARTITION BY {key}) AS first, {key} AS word "  # noqa: S608
        f"FROM {leads.quoted}) {name} WHERE id > first AND CHAR_LENGTH(word) >= {least} "
        "AND made > %s - INTERVAL 7 DAY AND made <= %s"
        for name, key, least in same
    )
    yield number(connection, f"SELECT COUNT(*) FROM ({twice}) twice", *([now, now] * len(same))), ()  # noqa: S608


def follow_ups(connection: Connection, crm: CrmSource, span: Span) -> Iterator[tuple[float, Labels]]:
    """Calls with a follow-up of before today after which nobody called for that card."""
    needed = [crm.call_card, crm.call_at, crm.call_follow_up]
    calls = table(connection, crm.database, crm.calls, needed)
    card, at, again = (quote(name) for name in needed)
    today = naive(span.now, ZoneInfo(crm.stored_in)).date()
    statement = (
        f"SELECT COUNT(*) FROM {calls.quoted} k WHERE k.{again} < %s AND k.{again} > %s - INTERVAL 90 DAY "  # noqa: S608
        f"AND NOT EXISTS (SELECT 1 FROM {calls.quoted} later WHERE later.{card} = k.{card} AND later.{at} > k.{at})"
    )
    yield number(connection, statement, today, today), ()


def invoices(connection: Connection, crm: CrmSource, span: Span) -> Iterator[tuple[float, Labels]]:
    """Invoices that wait for money although their day has passed."""
    due_column = [crm.invoice_due] if crm.invoice_due else []
    found = table(connection, crm.database, crm.invoices, [crm.invoice_issued, crm.invoice_status, *due_column])
    issued = f"{quote(crm.invoice_issued)} + INTERVAL {int(crm.payment_days)} DAY"
    due = f"COALESCE({quote(crm.invoice_due)}, {issued})" if due_column else issued
    today = naive(span.now, ZoneInfo(crm.stored_in)).date()
    statement = f"SELECT COUNT(*) FROM {found.quoted} WHERE {quote(crm.invoice_status)} IN %s AND {due} < %s"  # noqa: S608
    yield number(connection, statement, crm.open_statuses or ("",), today), ()
