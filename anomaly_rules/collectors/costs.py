"""Exported bills in files: CSV or JSON, with the column names of GCP, AWS, OCI, FOCUS, or any other."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from anomaly_rules.collectors import Reading, Span
from anomaly_rules.collectors.bill import BUDGET, EXPORT_AGE, HISTORY_DAYS, REVISE_DAYS, Bill, Item, Metrics, reading
from anomaly_rules.collectors.clock import day_of, moments
from anomaly_rules.collectors.files import csv_rows, matching, text_lines
from anomaly_rules.metric import Metric
from anomaly_rules.settings import CostExport
from opsctl.core.errors import OpsError
from opsctl.core.words import counted

Row = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Names:
    """Names under which a column may stand, the first that is there counts."""

    date: tuple[str, ...]
    amount: tuple[str, ...]
    currency: tuple[str, ...]
    service: tuple[str, ...]
    credit: tuple[str, ...] = ()
    zone: str = "UTC"


# FOCUS (https://focus.finops.org) is what all three clouds also export.
_FOCUS = Names(("ChargePeriodStart",), ("BilledCost",), ("BillingCurrency",), ("ServiceName",))
# https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage; Google bills Pacific days.
_GCP = Names(
    ("usage_start_time", *_FOCUS.date),
    ("cost", *_FOCUS.amount),
    ("currency", *_FOCUS.currency),
    ("service.description", "service_description", *_FOCUS.service),
    ("credits",),
    "America/Los_Angeles",
)
# https://docs.aws.amazon.com/cur/latest/userguide/Lineitem-columns.html, in the names of CUR and of CUR 2.0.
_AWS = Names(
    ("lineItem/UsageStartDate", "line_item_usage_start_date", *_FOCUS.date),
    ("lineItem/UnblendedCost", "line_item_unblended_cost", *_FOCUS.amount),
    ("lineItem/CurrencyCode", "line_item_currency_code", *_FOCUS.currency),
    ("lineItem/ProductCode", "line_item_product_code", *_FOCUS.service),
)
# https://docs.oracle.com/en-us/iaas/Content/Billing/Concepts/costusagereportsoverview.htm
_OCI = Names(
    ("lineItem/intervalUsageStart", *_FOCUS.date),
    ("cost/myCost", *_FOCUS.amount),
    ("cost/currencyCode", *_FOCUS.currency),
    ("product/service", *_FOCUS.service),
)
_PROVIDERS = {"gcp": _GCP, "aws": _AWS, "oci": _OCI, "other": Names((), (), (), ())}


@dataclass
class _Odd:
    """What was left out, or looked at twice."""

    without_amount: int = 0
    twice: int = 0
    seen: set[bytes] = field(default_factory=set)

    def notes(self) -> Iterator[str]:
        if self.without_amount:
            yield f"{counted(self.without_amount, 'row')} without an amount left out"
        if self.twice:
            yield f"{counted(self.twice, 'row')} that stood there before counted once"


@dataclass(frozen=True)
class CostFiles:
    """The files of one bill. Rows of all files are added up; one that stands there twice, whole, counts once."""

    source: CostExport
    history_days: float = HISTORY_DAYS
    revise_days: float = REVISE_DAYS

    @property
    def name(self) -> str:
        """The source."""
        return self.source.name

    @property
    def names(self) -> Names:
        """The columns: those of the settings, else the provider's."""
        known, own = _PROVIDERS[self.source.provider], self.source
        return Names(
            (own.date,) if own.date else known.date,
            (own.amount,) if own.amount else known.amount,
            (own.currency,) if own.currency else known.currency,
            (own.service,) if own.service else known.service,
            (own.credit,) if own.credit else known.credit,
            own.zone or known.zone,
        )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Costs, the age of the export, and the budget if there is one."""
        found = self._bill_metrics
        return (found.total, found.service, EXPORT_AGE, *([BUDGET] if self.source.budget else []))

    @property
    def _bill_metrics(self) -> Metrics:
        return Metrics(self.names.zone, self.source.settle_days)

    def read(self, span: Span) -> Reading:
        """Read. Raises OpsError that names the file and what is wrong in it."""
        files = matching(self.source.files)
        odd = _Odd()
        written = datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC)
        items = [item for file in files for item in self._items(file, odd)]
        found = reading(self.source.name, Bill(items, written), self._bill_metrics, self.source.budget, span)
        return Reading(found.samples, found.read_until, (*odd.notes(), *found.notes))

    def _items(self, file: Path, odd: _Odd) -> Iterator[Item]:
        columns: _Columns | None = None
        for number, row in enumerate(_rows(file), start=1):
            columns = columns or _Columns.of(self.names, row, file, self.source.only_currency)
            key = hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=16).digest()
            amount = columns.amount_of(row, number)
            if amount is None:
                odd.without_amount += 1
            elif key in odd.seen:
                odd.twice += 1
            else:
                odd.seen.add(key)
                yield Item(
                    columns.day_of(row, number),
                    columns.text(row, columns.service),
                    columns.text(row, columns.currency) or self.source.only_currency,
                    amount,
                )


@dataclass(frozen=True)
class _Columns:
    """The columns of one file."""

    file: Path
    date: str
    amount: str
    currency: str
    service: str
    credit: str
    zone: ZoneInfo

    @classmethod
    def of(cls, names: Names, row: Row, file: Path, only_currency: str) -> "_Columns":
        def one(wanted: tuple[str, ...], what: str, *, needed: bool) -> str:
            there = [name for name in wanted if _has(row, name)]
            if not there and needed:
                raise OpsError(
                    f"the file has no column {' or '.join(wanted)} for the {what}",
                    where=str(file),
                    hint=f"name it under [[sources]]; there are: {', '.join(row)}"[:400],
                )
            return there[0] if there else ""

        return cls(
            file,
            one(names.date, "day", needed=True),
            one(names.amount, "amount", needed=True),
            one(names.currency, "currency", needed=not only_currency),
            one(names.service, "service", needed=False),
            one(names.credit, "credits", needed=False),
            ZoneInfo(names.zone),
        )

    def text(self, row: Row, name: str) -> str:
        """A column as text; empty when there is none."""
        value = _value(row, name) if name else None
        return "" if value is None else str(value).strip()

    def amount_of(self, row: Row, number: int) -> float | None:
        """The amount with its credits; None when there is none."""
        amount = self._number(_value(row, self.amount), number)
        credit = _value(row, self.credit) if self.credit else None
        credits_ = [each.get("amount") for each in credit if isinstance(each, dict)] if isinstance(credit, list) else []
        if credit is not None and not isinstance(credit, list):
            credits_ = [credit]
        more = [self._number(each, number) or 0.0 for each in credits_]
        return None if amount is None else amount + sum(more)

    def _number(self, value: JsonValue, number: int) -> float | None:
        if value is None or (isinstance(value, str) and value.strip().lower() in {"", "null", "nan"}):
            return None
        try:
            return float(str(value))
        except ValueError:
            raise self._wrong(f"'{value}' is no amount", number) from None

    def day_of(self, row: Row, number: int) -> datetime:
        """The day that a row belongs to, in the bill's zone."""
        text = self.text(row, self.date)
        try:
            if len(text) == len("2026-05-01"):
                return datetime.combine(date.fromisoformat(text), time(), UTC)
            parsed = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
        except ValueError:
            raise self._wrong(f"'{text}' is no day", number) from None
        moment = moments(parsed, self.zone)[0] if parsed.tzinfo is None else parsed.astimezone(UTC)
        return day_of(moment, self.zone)

    def _wrong(self, what: str, number: int) -> OpsError:
        return OpsError(f"{what}, in row {number}", where=str(self.file), hint="name other columns under [[sources]]")


def _rows(file: Path) -> Iterator[Row]:
    """The rows of a CSV file, or of a JSON file: one list, or an object a line."""
    if ".json" not in file.suffixes and ".jsonl" not in file.suffixes and ".ndjson" not in file.suffixes:
        yield from csv_rows(file)
        return
    text = "".join(text_lines(file)).strip()
    try:
        found = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line]
    except ValueError as error:
        raise OpsError(f"the file is no JSON: {error}", where=str(file), hint="is it whole?") from error
    for row in found:
        if not isinstance(row, dict):
            raise OpsError("the file holds something else than objects", where=str(file), hint="is it a bill?")
        yield row


def _has(row: Row, name: str) -> bool:
    head, _, rest = name.partition(".")
    inner = row.get(head)
    return name in row or (bool(rest) and isinstance(inner, dict) and _has(inner, rest))


def _value(row: Row, name: str) -> JsonValue:
    """A column by its name, or by a path of names with dots; None when it is not there."""
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    inner = row.get(head)
    return _value(inner, rest) if rest and isinstance(inner, dict) else None
