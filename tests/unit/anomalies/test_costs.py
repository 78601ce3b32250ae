"""Bills in files as GCP, AWS, OCI and others write them, really broken and healthy; and logs of model calls."""

import csv
import gzip
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anomaly_rules.collectors.ai_calls import CallLog
from anomaly_rules.collectors.costs import CostFiles
from anomaly_rules.settings import AiCalls, CostExport
from tests.support.measuring import NOW, Bench

DAY = timedelta(days=1)
TODAY = datetime(2026, 5, 20, tzinfo=UTC)
Row = dict[str, object]


def usual(day: datetime) -> float:
    """A rhythm of the week with a little of everything else."""
    return 100 + 15 * math.sin(day.toordinal() * 1.7) + (20 if day.weekday() < 5 else 0)


def bill(
    days: int = 120, *, until: datetime = TODAY, change: Callable[[datetime, float], float] | None = None
) -> list[Row]:
    """Two services a day, up to the day before `until`."""
    rows: list[Row] = []
    for back in reversed(range(1, days + 1)):
        day = until - back * DAY
        total = usual(day) if change is None else change(day, usual(day))
        for service, share in (("Compute", 0.7), ("Storage", 0.3)):
            if total:
                rows.append(
                    {"day": f"{day:%Y-%m-%d}", "cost": round(total * share, 2), "cur": "EUR", "service": service}
                )
    return rows


def write_csv(path: Path, rows: Iterable[Row], written: datetime = NOW) -> Path:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode()) if path.suffix == ".gz" else text.getvalue().encode())
    os.utime(path, (written.timestamp(), written.timestamp()))
    return path


def export(tmp_path: Path, files: str = "*.csv", **more: Any) -> CostExport:
    known: dict[str, object] = {"date": "day", "amount": "cost", "currency": "cur", "service": "service"}
    return CostExport.model_validate(
        {"kind": "costs", "name": "bill", "provider": "other", "files": str(tmp_path / files), **known, **more}
    )


def benched(tmp_path: Path, rows: Sequence[Row], written: datetime = NOW, **more: Any) -> Bench:
    write_csv(tmp_path / "bill.csv", rows, written)
    bench = Bench(tmp_path, [CostFiles(export(tmp_path, **more))])
    bench.read()
    return bench


RULES = ("cost-spike", "cost-step", "cost-flatline", "cost-lines", "cost-export-stale", "cost-over-budget")


def test_a_usual_bill_raises_nothing(tmp_path: Path) -> None:
    bench = benched(tmp_path, bill(), budget=4500)
    for rule in RULES:
        bench.assert_quiet(rule)


def test_a_day_that_costs_three_times_as_much_is_found(tmp_path: Path) -> None:
    spike = TODAY - 2 * DAY
    bench = benched(tmp_path, bill(change=lambda day, cost: cost * 3 if day == spike else cost))
    bench.assert_fires("cost-spike")


def test_a_bill_that_stopped_is_found_on_the_next_day(tmp_path: Path) -> None:
    bench = benched(tmp_path, bill(change=lambda day, cost: 0 if day >= TODAY - DAY else cost))
    found = bench.assert_fires("cost-flatline")
    assert found.evidence.since == TODAY - DAY


def test_a_step_that_stays_is_found(tmp_path: Path) -> None:
    begin = TODAY - 16 * DAY
    bench = benched(tmp_path, bill(change=lambda day, cost: cost * 1.35 if day >= begin else cost))
    bench.assert_fires("cost-step")


def test_a_month_that_will_cost_more_than_its_budget_is_found(tmp_path: Path) -> None:
    bench = benched(tmp_path, bill(), budget=3000)
    found = bench.assert_fires("cost-over-budget")
    assert found.evidence.expected == 3000


def test_a_new_service_and_one_that_is_gone_are_found(tmp_path: Path) -> None:
    rows = [row for row in bill() if not (row["service"] == "Storage" and str(row["day"]) > "2026-05-10")]
    rows += [{"day": f"2026-05-{day}", "cost": 9, "cur": "EUR", "service": "GPU"} for day in (16, 17)]
    bench = benched(tmp_path, rows)
    bench.assert_fires("cost-lines", about="GPU")
    bench.assert_fires("cost-lines", about="Storage")
    assert len(bench.findings("cost-lines")) == 2


def test_an_export_that_stopped_is_stale_and_no_flatline(tmp_path: Path) -> None:
    stopped = TODAY - 3 * DAY
    bench = benched(tmp_path, bill(until=stopped), written=stopped + timedelta(hours=5))
    bench.assert_fires("cost-export-stale")
    assert bench.findings("cost-flatline") == []


def test_late_costs_are_revised(tmp_path: Path) -> None:
    rows = bill()
    bench = benched(tmp_path, rows[:-1])
    yesterday = TODAY - DAY
    assert bench.newest("cost.daily", currency="EUR", source="bill") == pytest.approx(usual(yesterday) * 0.7, abs=0.1)
    write_csv(tmp_path / "bill.csv", rows, NOW + timedelta(hours=2))
    later = NOW + timedelta(hours=3)
    bench.read(later)
    assert bench.newest("cost.daily", later, currency="EUR", source="bill") == pytest.approx(usual(yesterday), abs=0.1)
    assert bench.newest("cost.daily", currency="EUR", source="bill") == pytest.approx(usual(yesterday) * 0.7, abs=0.1)


PROVIDERS: dict[str, tuple[str, list[Row], str]] = {
    "gcp": (
        "bill.json",
        [
            {
                "usage_start_time": "2026-05-18 06:30:00 UTC",  # in California, the 17th
                "cost": 10.0,
                "currency": "USD",
                "service": {"description": "Cloud SQL"},
                "credits": [{"amount": -1.5}, {"amount": -0.5}],
            }
        ],
        "Cloud SQL",
    ),
    "aws": (
        "bill.csv.gz",
        [
            {
                "lineItem/UsageStartDate": "2026-05-17T00:00:00Z",
                "lineItem/UnblendedCost": "8.00",
                "lineItem/CurrencyCode": "USD",
                "lineItem/ProductCode": "AmazonRDS",
            }
        ],
        "AmazonRDS",
    ),
    "oci": (
        "bill.csv",
        [
            {
                "lineItem/intervalUsageStart": "2026-05-17T14:00Z",
                "product/service": "COMPUTE",
                "cost/myCost": "8",
                "cost/currencyCode": "USD",
            }
        ],
        "COMPUTE",
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_clouds_own_exports_need_no_mapping(tmp_path: Path, provider: str) -> None:
    name, rows, service = PROVIDERS[provider]
    if name.endswith(".json"):
        (tmp_path / name).write_text("\n".join(json.dumps(row) for row in rows))
    else:
        write_csv(tmp_path / name, rows)
    source = CostExport.model_validate(
        {"kind": "costs", "name": "bill", "provider": provider, "files": str(tmp_path / "bill.*")}
    )
    bench = Bench(tmp_path, [CostFiles(source)])
    os.utime(tmp_path / name, (NOW.timestamp(), NOW.timestamp()))
    bench.read()
    found = bench.series("cost.service", currency="USD", service=service, source="bill")
    assert dict(zip(found.times, found.values, strict=True)) == {datetime(2026, 5, 17, tzinfo=UTC): 8.0}


def test_a_bill_in_focus_form_of_any_cloud_is_read(tmp_path: Path) -> None:
    row: Row = {"ChargePeriodStart": "2026-05-17", "BilledCost": 8, "BillingCurrency": "USD", "ServiceName": "VM"}
    write_csv(tmp_path / "focus.csv", [row])
    source = CostExport.model_validate(
        {"kind": "costs", "name": "bill", "provider": "aws", "files": str(tmp_path / "focus.csv")}
    )
    bench = Bench(tmp_path, [CostFiles(source)])
    bench.read()
    assert bench.newest("cost.service", currency="USD", service="VM", source="bill") == 8


def notes(tmp_path: Path, **more: Any) -> tuple[str, ...]:
    (done,) = Bench(tmp_path, [CostFiles(export(tmp_path, **more))]).collect()
    assert done.why is None
    return done.notes


def test_a_copy_of_a_file_does_not_count_twice(tmp_path: Path) -> None:
    rows = bill(10)
    write_csv(tmp_path / "a.csv", rows)
    write_csv(tmp_path / "a (1).csv", rows)
    assert notes(tmp_path) == ("20 rows that stood there before counted once",)
    bench = Bench(tmp_path, [CostFiles(export(tmp_path))])
    assert bench.newest("cost.daily", currency="EUR", source="bill") == pytest.approx(usual(TODAY - DAY), abs=0.1)


def test_the_parts_of_a_bill_are_added_up(tmp_path: Path) -> None:
    write_csv(tmp_path / "part1.csv", [{"day": "2026-05-17", "cost": 3, "cur": "EUR", "service": "a"}])
    write_csv(tmp_path / "part2.csv", [{"day": "2026-05-17", "cost": 4, "cur": "EUR", "service": "a"}])
    bench = Bench(tmp_path, [CostFiles(export(tmp_path))])
    bench.read()
    assert bench.newest("cost.daily", currency="EUR", source="bill") == 7


def test_a_change_of_currency_is_told_and_never_added_up(tmp_path: Path) -> None:
    rows = bill(20)
    for row in rows[20:]:
        row["cur"] = "USD"
    write_csv(tmp_path / "bill.csv", rows)
    said = ("amounts in EUR, USD are kept apart", "a bill in several currencies has no budget")
    assert notes(tmp_path, budget=100) == said
    bench = Bench(tmp_path, [CostFiles(export(tmp_path))])
    assert len(bench.series("cost.daily", currency="EUR", source="bill").values) == 10
    assert len(bench.series("cost.daily", currency="USD", source="bill").values) == 10


def test_credits_are_kept_and_rows_without_an_amount_are_told(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"day": "2026-05-17", "cost": -12.5, "cur": "EUR", "service": "Refund"},
        {"day": "2026-05-18", "cost": "", "cur": "EUR", "service": "Compute"},
        {"day": "2026-05-18", "cost": "NULL", "cur": "EUR", "service": "Storage"},
    ]
    write_csv(tmp_path / "bill.csv", rows)
    assert notes(tmp_path) == ("2 rows without an amount left out", "1 day with more credit than cost")
    bench = Bench(tmp_path, [CostFiles(export(tmp_path))])
    assert bench.newest("cost.daily", currency="EUR", source="bill") == -12.5


def test_days_are_the_bills_own_in_summer_and_winter(tmp_path: Path) -> None:
    times = (
        "2026-03-28T23:30:00+00:00",
        "2026-03-29T00:30:00",
        "2026-03-29T21:30:00+00:00",
        "2026-03-29T22:30:00+00:00",
    )
    rows: list[Row] = [{"day": time, "cost": 2**n, "cur": "EUR", "service": "a"} for n, time in enumerate(times)]
    write_csv(tmp_path / "bill.csv", rows)
    bench = Bench(tmp_path, [CostFiles(export(tmp_path, zone="Europe/Berlin"))])
    bench.read()
    found = bench.series("cost.daily", currency="EUR", source="bill")
    assert {f"{time:%m-%d}": value for time, value in zip(found.times, found.values, strict=True)} == {
        "03-29": 1 + 2 + 4,
        "03-30": 8,
    }


WRONG: dict[str, tuple[str, str]] = {
    "has no column cost for the amount": ("day,price,cur,service\n2026-05-01,1,EUR,a\n", "bill.csv"),
    "'soon' is no day, in row 2": ("day,cost,cur,service\n2026-05-01,1,EUR,a\nsoon,2,EUR,a\n", "bill.csv"),
    "'1.200,50' is no amount, in row 1": ('day,cost,cur,service\n2026-05-01,"1.200,50",EUR,a\n', "bill.csv"),
    "the file is no CSV": ("day,cost,cur,service\n\x00\x00" + "x" * 200_000, "bill.csv"),
    "the file is no JSON": ('{"day": "2026-05-01", "cost"', "bill.json"),
    "the file cannot be unpacked": ("this is not packed", "bill.csv.gz"),
    "holds something else than objects": ("[1, 2]", "bill.json"),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_in_a_file_is_told_with_its_place(tmp_path: Path, said: str) -> None:
    text, name = WRONG[said]
    (tmp_path / name).write_text(text)
    (done,) = Bench(tmp_path, [CostFiles(export(tmp_path, "bill.*"))]).collect()
    assert said in (done.why or "")
    assert name in (done.why or "")


def test_no_file_at_all_is_told(tmp_path: Path) -> None:
    (done,) = Bench(tmp_path, [CostFiles(export(tmp_path))]).collect()
    assert "there is no such file" in (done.why or "")


def call_rows(days: int = 50, *, until: datetime = NOW, failing: float = 0.02, since: datetime = NOW) -> list[Row]:
    """Calls every ten minutes by day and every hour by night; from `since` on, that share of them fails."""
    rows: list[Row] = []
    begin = until - days * DAY
    for number in range(days * 144):
        at = begin + number * timedelta(minutes=10)
        if at.hour in range(6, 21) or at.minute < 10:
            bad = at >= since and number * 37 % 100 < failing * 100
            row: Row = {"time": at.isoformat(), "model": "m", "outcome": "429" if bad else "ok", "cost": 0.02}
            rows.append(row)
    return rows


def call_bench(tmp_path: Path, rows: list[Row]) -> Bench:
    write_csv(tmp_path / "calls.csv", rows)
    source = AiCalls(kind="ai_calls", name="ai", files=str(tmp_path / "calls.csv"))
    bench = Bench(tmp_path, [CallLog(source, "UTC")])
    bench.read()
    return bench


def test_calls_that_go_on_and_mostly_succeed_raise_nothing(tmp_path: Path) -> None:
    bench = call_bench(tmp_path, call_rows(failing=0.02, since=NOW - DAY))
    for rule in ("calls-flatline", "ai-error-rate", "cost-flatline", "cost-spike"):
        bench.assert_quiet(rule)


def test_calls_that_stopped_are_found_within_hours(tmp_path: Path) -> None:
    bench = call_bench(tmp_path, call_rows(until=NOW - timedelta(hours=4)))
    bench.assert_fires("calls-flatline")


def test_calls_that_fail_too_often_are_found(tmp_path: Path) -> None:
    bench = call_bench(tmp_path, call_rows(failing=0.3, since=NOW - timedelta(hours=8)))
    found = bench.assert_fires("ai-error-rate")
    assert (found.evidence.value or 0) > 0.2


def test_calls_are_billed_by_model_and_day(tmp_path: Path) -> None:
    bench = call_bench(tmp_path, call_rows())
    assert bench.newest("cost.service", currency="USD", service="m", source="ai") == pytest.approx(0.02 * 99)


def test_a_log_of_calls_without_a_column_is_told(tmp_path: Path) -> None:
    write_csv(tmp_path / "calls.csv", [{"time": NOW.isoformat(), "outcome": "ok"}])
    source = AiCalls(kind="ai_calls", name="ai", files=str(tmp_path / "calls.csv"))
    (done,) = Bench(tmp_path, [CallLog(source, "UTC")]).collect()
    assert "has no column model, cost" in (done.why or "")
