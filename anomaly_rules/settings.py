"""Settings of the rules over measurements: how they are collected, and the sources that are the customer's own."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from anomaly_rules.metric import Zone
from opsctl.core.section import Section
from opsctl.stack.settings import Slug

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^`\x00]+$")]
"""A name of a table or column; it is quoted wherever it stands in SQL."""


class AnomaliesSection(Section):
    """What is measured for the rules, and how. Sources of the customer's own are listed under [[sources]]."""

    zone: Zone = Field("UTC", description="Time zone in which the business counts its days.", examples=["Asia/Kolkata"])
    query_timeout_s: float = Field(30, description="Seconds after which a query is given up.", gt=0)
    max_labels: int = Field(500, description="Most series of one metric and source; the rest is added up.", ge=1)
    keep_days: int = Field(800, description="Days for which samples are kept.", ge=60)
    disks: tuple[Path, ...] = Field((Path("/"),), description="A path on each file system that must not fill up.")
    journal: Path | None = Field(
        None, description="Directory of the journal, when it is not the system's.", examples=["/var/log/journal"]
    )
    auth_log: Path | None = Field(
        None, description="File with failed logins, where the journal has none.", examples=["/var/log/auth.log"]
    )
    time_server: str | None = Field(
        None, description="NTP server that the clock is compared with.", examples=["pool.ntp.org"]
    )
    holidays: tuple[date, ...] = Field(
        (), description="Days on which business rests: low values are no findings.", examples=[["2026-12-25"]]
    )
    rules_off: tuple[str, ...] = Field((), description="Rules that are not run.", examples=[["failed-logins"]])
    rule_files: tuple[Path, ...] = Field(
        (), description="Python files with rules of the customer's own.", examples=[["/etc/opsctl/rules.py"]]
    )
    packages: bool = Field(True, description="Whether to count security updates that apt has not installed.")


class _Database(Section):
    """What all sources in the operations database share."""

    name: Slug = Field(description="Name of the source, for findings.", examples=["crm"])
    database: Name = Field(description="The database it is in.", examples=["crm"])
    stored_in: Zone = Field("UTC", description="Time zone of its DATETIME columns.", examples=["Asia/Kolkata"])


class CrmSource(_Database):
    """A CRM with leads, cards, calls and invoices. Names are those of the demo; "" for a table that is not there."""

    kind: Literal["crm"] = Field("crm", description="What it is: crm, wordpress, table, queue, query, costs, …")
    leads: str = Field("tblleads", description="Table of leads.")
    lead_created: Name = Field("created_at", description="When a lead came.")
    lead_phone: str = Field("phone", description="Its telephone number; duplicates are found by its last ten digits.")
    lead_email: str = Field("email", description="Its address; duplicates are found by it.")
    lead_assigned: str = Field("", description="Who looks after it (0 or NULL: nobody). Without: whoever has a card.")
    assign_hours: float = Field(24, description="Hours within which a lead has to be assigned.", gt=0)
    cards: str = Field("tblcards", description="Table of cards.")
    card_lead: Name = Field("lead_id", description="The lead of a card.")
    card_stage: Name = Field("stage", description="Its stage.")
    card_changed: Name = Field("changed_at", description="Since when it is in its stage.")
    card_created: str = Field("", description="When it was made; without, the first stage has no history.")
    last_stages: tuple[str, ...] = Field(("won", "lost"), description="Stages in which a card may rest for ever.")
    moves: str = Field("tblcard_stages", description="Table of stage changes.")
    move_card: Name = Field("card_id", description="The card that moved.")
    move_from: Name = Field("from_stage", description="The stage it left.")
    move_at: Name = Field("changed_at", description="When it moved.")
    calls: str = Field("tblcalls", description="Table of calls.")
    call_card: Name = Field("card_id", description="The card of a call.")
    call_at: Name = Field("called_at", description="When the call was.")
    call_follow_up: str = Field("", description="The date on which to call again.")
    invoices: str = Field("tblinvoices", description="Table of invoices.")
    invoice_issued: Name = Field("issued_on", description="Date of the invoice.")
    invoice_due: str = Field("", description="Date until which it is to be paid; without, payment_days after its date.")
    invoice_status: Name = Field("status", description="Its status.")
    open_statuses: tuple[str, ...] = Field(("sent",), description="Statuses of invoices that wait for money.")
    payment_days: int = Field(30, description="Days in which invoices are paid.", ge=0)


class WordPressSource(_Database):
    """A WordPress: comments, registrations, posts and uploads."""

    name: Slug = Field(description="Name of the source, for findings.", examples=["blog"])
    database: Name = Field(description="The database it is in.", examples=["wordpress"])
    kind: Literal["wordpress"] = Field(description="What it is.")
    prefix: str = Field("wp_", description="Prefix of its tables.", pattern=r"^[^`\x00]*$")


class TableSource(_Database):
    """Any table that grows by rows with a time."""

    name: Slug = Field(description="Name of the source, for findings.", examples=["orders"])
    database: Name = Field(description="The database it is in.", examples=["shop"])
    kind: Literal["table"] = Field(description="What it is.")
    table: Name = Field(description="The table.", examples=["orders"])
    time: Name = Field(description="Column with the time of a row.", examples=["created_at"])
    where: str = Field("", description="SQL condition on the rows that count.", examples=["status <> 'test'"])
    label: str = Field("", description="Column by which they are told apart.", examples=["channel"])


class QueueSource(_Database):
    """A table of work that waits: transcriptions, webhooks, mails."""

    name: Slug = Field(description="Name of the source, for findings.", examples=["transcriptions"])
    database: Name = Field(description="The database it is in.", examples=["vault"])
    kind: Literal["queue"] = Field(description="What it is.")
    use: Literal["transcription", "webhook"] = Field(description="Whose rule judges it.")
    table: Name = Field(description="The table.", examples=["jobs"])
    time: Name = Field(
        description="Column with the time since when a row waits, or when it was tried.", examples=["queued_at"]
    )
    waiting: str = Field("", description="SQL condition on rows that wait.", examples=["status = 'queued'"])
    failed: str = Field("", description="SQL condition on rows that failed.", examples=["status = 'failed'"])


class QuerySource(_Database):
    """A query of the customer's own: rows of (value) or (label, value), with `timed` of (time, label, value)."""

    name: Slug = Field(description="Name of the source, for findings.", examples=["stock"])
    database: Name = Field(description="The database it runs in.", examples=["shop"])
    kind: Literal["query"] = Field(description="What it is.")
    metric: str = Field(description="Name of the metric.", pattern=r"^own\.[a-z][a-z0-9_]*$", examples=["own.stock"])
    sql: str = Field(description="One SELECT.", examples=["SELECT COUNT(*) FROM stock WHERE amount < 5"])
    every: Literal["day", "hour"] = Field("day", description="How often it has a value.")
    timed: bool = Field(
        False, description="Whether its first column is a time; @since (UTC) is where it has to begin then."
    )


class CostExport(Section):
    """Exported bills: CSV or JSON files, as GCP, AWS and OCI write them, or with columns of any other name."""

    kind: Literal["costs"] = Field(description="What it is.")
    name: Slug = Field(description="Name of the source, for findings.", examples=["gcp"])
    files: str = Field(description="Files, with wildcards; .gz too.", examples=["/var/lib/billing/*.csv"])
    provider: Literal["gcp", "aws", "oci", "other"] = Field(description="Whose names its columns have.")
    date: str = Field("", description="Column of the day or time of use.")
    amount: str = Field("", description="Column of the amount.")
    credit: str = Field("", description="Column of credits, which are added.")
    currency: str = Field("", description="Column of the currency.")
    only_currency: str = Field("", description="The currency, where no column says it.", examples=["INR"])
    service: str = Field("", description="Column of the service.")
    zone: str = Field("", description="Zone of times without one, and in which its days are counted.")
    settle_days: float = Field(2, description="Days after which a day's cost is final.", ge=0)
    budget: float | None = Field(None, description="Money for a calendar month.", gt=0, examples=[500.0])

    @model_validator(mode="after")
    def _columns_are_known(self) -> "CostExport":
        if self.provider == "other" and not (self.date and self.amount and (self.currency or self.only_currency)):
            raise ValueError("provider 'other' needs date, amount, and currency or only_currency")
        return self


class BigQueryExport(Section):
    """Google's billing export in BigQuery (extra `ai`)."""

    kind: Literal["bigquery"] = Field(description="What it is.")
    name: Slug = Field(description="Name of the source, for findings.", examples=["cloud"])
    project: str = Field(description="Project that runs the query.", examples=["acme-ops"])
    table: str = Field(
        description="The export's table.",
        pattern=r"^[A-Za-z0-9_.:-]+$",
        examples=["acme-ops.billing.gcp_billing_export_v1_0123"],
    )
    location: str = Field(description="Region of the data set.", examples=["asia-south1"])
    credentials_file: Path | None = Field(None, description="Key of a service account; without: the machine's own.")
    endpoint: str = Field("https://bigquery.googleapis.com", description="Address of the service.")
    zone: Zone = Field("America/Los_Angeles", description="Zone in which Google counts its days.")
    settle_days: float = Field(2, description="Days after which a day's cost is final.", ge=0)
    budget: float | None = Field(None, description="Money for a calendar month.", gt=0, examples=[500.0])
    timeout_s: float = Field(120, description="Seconds after which the query is given up.", gt=0)
    max_gib: float = Field(10, description="Most GiB that a query may read (it is refused beyond).", gt=0)


class AiCalls(Section):
    """A log of calls to a model: CSV files with a line for each call."""

    kind: Literal["ai_calls"] = Field(description="What it is.")
    name: Slug = Field(description="Name of the source, for findings.", examples=["ai"])
    files: str = Field(description="Files, with wildcards; .gz too.", examples=["/var/lib/crm/ai-calls*.csv"])
    time: str = Field("time", description="Column of the time (ISO 8601).")
    model: str = Field("model", description="Column of the model.")
    outcome: str = Field("outcome", description="Column that says how it ended.")
    good: tuple[str, ...] = Field(("ok", "200", "STOP"), description="Outcomes that are no error.")
    cost: str = Field("cost", description='Column of the cost; "" where there is none.')
    currency: str = Field("USD", description="Its currency.", min_length=1)
    zone: Zone = Field("UTC", description="Zone of times without one.")


def _kind_of(given: object) -> object:
    return given.get("kind", "crm") if isinstance(given, dict) else getattr(given, "kind", None)


SourceSection = Annotated[
    Annotated[CrmSource, Tag("crm")]
    | Annotated[WordPressSource, Tag("wordpress")]
    | Annotated[TableSource, Tag("table")]
    | Annotated[QueueSource, Tag("queue")]
    | Annotated[QuerySource, Tag("query")]
    | Annotated[CostExport, Tag("costs")]
    | Annotated[BigQueryExport, Tag("bigquery")]
    | Annotated[AiCalls, Tag("ai_calls")],
    Discriminator(
        _kind_of,
        custom_error_type="source_kind",
        custom_error_message="kind is none of: crm, wordpress, table, queue, query, costs, bigquery, ai_calls",
    ),
]
