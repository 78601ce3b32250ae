"""Backtests: reading series, windows, replays and scores."""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from anomaly_rules.backtest.run import Request, Result, backtest, columns, parameters
from anomaly_rules.metric import Cadence
from opsctl.core.errors import OpsError

FIRST = datetime(2026, 1, 5, tzinfo=UTC)


def wave(hours: int, seed: int = 1) -> list[float]:
    """A daily rhythm with noise."""
    rng = np.random.default_rng(seed)
    return [float(v) for v in 50 + 10 * np.sin(np.arange(hours) / 24 * 2 * np.pi) + rng.normal(0, 1, hours)]


def write(path: Path, rows: list[tuple[object, ...]], header: str = "timestamp,value") -> Path:
    path.write_text("\n".join([header, *(",".join(str(cell) for cell in row) for row in rows)]) + "\n")
    return path


def request(csv: Path, kind: str = "outlier", truth: Path | None = None, label: str | None = None) -> Request:
    return Request(
        csv=csv,
        columns=columns(time="timestamp", value="value", label=label, zone="UTC"),
        every=None,
        by=None,
        kind=kind,
        params={},
        truth=truth,
    )


def five_minutes(tmp_path: Path) -> Result:
    values = [value for value in wave(24 * 14) for _ in range(12)]
    for index in range(12 * (24 * 10 + 3), 12 * (24 * 10 + 5)):
        values[index] = 120.0
    naive = FIRST.replace(tzinfo=None)
    csv = write(tmp_path / "cpu.csv", [(naive + timedelta(minutes=5 * n), v) for n, v in enumerate(values)])
    truth = tmp_path / "windows.json"
    start = naive + timedelta(days=10)
    windows = {"real/cpu.csv": [], f"{tmp_path.name}/cpu.csv": [[f"{start}.000000", f"{start + timedelta(days=1)}"]]}
    truth.write_text(json.dumps(windows))
    return backtest(request(csv, truth=truth))


def test_five_minute_data_are_resampled_and_it_is_said(tmp_path: Path) -> None:
    result = five_minutes(tmp_path)
    assert result.table.cadence is Cadence.HOURLY
    assert result.table.notes == (
        "times name no zone and were read as UTC",
        "a row every 5 minutes: resampled to the mean of each hour",
    )
    assert len(result.table.found[()].times) == 24 * 14


def test_an_alarm_inside_a_window_is_right_and_its_delay_is_from_the_windows_start(tmp_path: Path) -> None:
    result = five_minutes(tmp_path)
    assert (result.score.windows, result.score.found, result.score.right) == (1, 1, 1)
    assert result.score.recall == 1.0
    assert result.score.delay_hours == 4.0
    assert result.replayed.alarms[0].since == FIRST + timedelta(days=10, hours=3)


def test_a_replay_sees_nothing_of_what_comes_later(tmp_path: Path) -> None:
    values = wave(24 * 14)
    changed = [*values[: 24 * 12], *(value * 5 for value in values[24 * 12 :])]
    alarms = []
    for name, found in (("a", values), ("b", changed)):
        csv = write(tmp_path / f"{name}.csv", [(FIRST + timedelta(hours=n), v) for n, v in enumerate(found)])
        replayed = backtest(request(csv)).replayed
        alarms.append([alarm.at for alarm in replayed.alarms if alarm.at <= FIRST + timedelta(days=12)])
    assert alarms[0] == alarms[1]


def test_daily_data_are_judged_daily(tmp_path: Path) -> None:
    values = [100.0 + (n % 7) + math.sin(n) for n in range(100)]
    values[90] = 300.0
    csv = write(tmp_path / "spend.csv", [((FIRST + timedelta(days=n)).date(), v) for n, v in enumerate(values)])
    result = backtest(request(csv))
    assert result.table.cadence is Cadence.DAILY
    assert [alarm.since for alarm in result.replayed.alarms] == [FIRST + timedelta(days=90)]
    assert [alarm.at for alarm in result.replayed.alarms] == [FIRST + timedelta(days=91)]
    assert result.score.recall is None


def test_labels_are_replayed_each_by_itself(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = []
    for name, seed in (("a", 1), ("b", 2)):
        values = wave(24 * 10, seed)
        if name == "b":
            values[200:203] = [200.0] * 3
        rows += [(FIRST + timedelta(hours=n), v, name) for n, v in enumerate(values)]
    csv = write(tmp_path / "sites.csv", rows, "timestamp,value,site")
    truth = tmp_path / "truth.json"
    at = (FIRST + timedelta(hours=200)).isoformat()
    truth.write_text(json.dumps({"a": [], "b": [at]}))
    result = backtest(request(csv, truth=truth, label="site"))
    hits = [alarm for alarm in result.replayed.alarms if alarm.at == FIRST + timedelta(hours=201)]
    assert [alarm.labels for alarm in hits] == [(("site", "b"),)]
    assert result.score.found == 1


def test_odd_rows_are_left_out_sorted_joined_and_named(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(FIRST + timedelta(hours=n), v) for n, v in enumerate(wave(24 * 5))]
    rows[3], rows[4] = rows[4], rows[3]
    rows[10] = (rows[10][0], "NaN")
    rows[11] = (rows[11][0], "n/a")
    rows.append(rows[20])
    del rows[50:60]
    rows.append((FIRST.replace(year=1971), 1.0))
    result = backtest(request(write(tmp_path / "odd.csv", rows)))
    said = " | ".join(result.table.notes)
    assert "2 rows without a finite number were left out" in said
    assert "were not in the order of their times and were sorted" in said
    assert "1 rows repeat a time" in said
    assert "the clock may have jumped" in said


def test_gaps_are_found_in_rows_of_events(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows: list[tuple[object, ...]] = []
    for hour in range(24 * 30):
        busy = 8 <= hour % 24 < 20
        silent = 24 * 28 + 9 <= hour < 24 * 28 + 16
        count = 0 if silent else int(rng.poisson(12 if busy else 0.2))
        rows += [(FIRST + timedelta(hours=hour, minutes=minute), 1) for minute in range(count)]
    result = backtest(request(write(tmp_path / "rows.csv", rows), "gap"))
    (alarm,) = result.replayed.alarms
    assert alarm.since >= FIRST + timedelta(days=28, hours=8)
    assert alarm.at <= FIRST + timedelta(days=28, hours=11)


def test_times_may_be_seconds_or_milliseconds(tmp_path: Path) -> None:
    for scale in (1, 1000):
        rows: list[tuple[object, ...]] = [
            (int((FIRST + timedelta(hours=n)).timestamp() * scale), v) for n, v in enumerate(wave(100))
        ]
        result = backtest(request(write(tmp_path / f"{scale}.csv", rows)))
        assert result.table.found[()].times[0] == FIRST
        assert result.table.notes == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time,value\n1,2\n", "no column 'timestamp'"),
        ("timestamp,value\n", "there is no value"),
        ("timestamp,value\n03/04/2026,2\n", "is no time that means the same everywhere"),
        ("timestamp,value\n1e300,2\n", "is no time"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path, content: str, said: str) -> None:
    csv = tmp_path / "bad.csv"
    csv.write_text(content)
    with pytest.raises(OpsError) as error:
        backtest(request(csv))
    assert said in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("truth", ["{", "[[1]]", '[["2026-01-02", "2026-01-01"]]', '{"other.csv": []}', '"x"'])
def test_windows_that_cannot_be_used_are_refused(tmp_path: Path, truth: str) -> None:
    csv = write(tmp_path / "a.csv", [(FIRST, 1.0)])
    path = tmp_path / "truth.json"
    path.write_text(truth)
    with pytest.raises(OpsError):
        backtest(request(csv, truth=path))


def test_parameters_are_numbers_flags_or_words() -> None:
    assert parameters(["sigmas=4.5", "vanished=false", "direction=up", 'x="y"']) == {
        "sigmas": 4.5,
        "vanished": False,
        "direction": "up",
        "x": "y",
    }
    with pytest.raises(OpsError, match="is no parameter"):
        parameters(["sigmas"])
