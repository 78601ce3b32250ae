"""Tables that grow, queues and own queries: silence, volume, the future; zones, NULLs, and what is not there."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from anomaly_rules.collectors.query import Query
from anomaly_rules.collectors.queue import Queue
from anomaly_rules.collectors.rows import RowCounts
from anomaly_rules.collectors.wordpress import collectors as wordpress
from anomaly_rules.settings import QuerySource, QueueSource, WordPressSource
from tests.integration.anomalies.conftest import Own, reach
from tests.support.measuring import NOW, Bench

HOUR = timedelta(hours=1)


def counts(own: Own, column: str = "at", **more: str) -> RowCounts:
    return RowCounts(own.database, "shop", "orders", own.name, "orders", column, **more)  # type: ignore[arg-type]


def orders(own: Own, *, weeks: int = 5, kind: str = "DATETIME NULL", zone: str = "+00:00") -> None:
    """Orders every ten minutes of the day and every hour of the night, up to now, as a clock of `zone` shows it."""
    own.sql(
        f"CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, at {kind}, channel VARCHAR(20) NULL, KEY (at))",
        "SET time_zone = '+00:00'",
        f"INSERT INTO orders (at, channel) SELECT CONVERT_TZ(utc, '+00:00', '{zone}'), 'web' FROM ("
        f"SELECT TIMESTAMP '{NOW:%Y-%m-%d %H:%M:%S}' - INTERVAL seq * 10 MINUTE AS utc "
        f"FROM seq_1_to_{weeks * 1008}) every "
        "WHERE HOUR(utc) BETWEEN 6 AND 20 OR MINUTE(utc) < 10",
    )


@pytest.mark.parametrize(
    ("kind", "zone", "name"), [("DATETIME NULL", "+05:30", "Asia/Kolkata"), ("TIMESTAMP NULL", "+00:00", "UTC")]
)
def test_a_table_that_grows_as_always_raises_nothing(own: Own, tmp_path: Path, kind: str, zone: str, name: str) -> None:
    orders(own, kind=kind, zone=zone)
    bench = Bench(tmp_path, [counts(own, zone=name)])
    bench.read()
    for rule in ("ingestion-gap", "ingestion-volume", "rows-from-the-future"):
        bench.assert_quiet(rule)
    assert bench.series("rows.hourly", table="shop.orders").times[-1] == datetime(2026, 5, 20, 9, tzinfo=UTC)


def test_silence_in_business_hours_is_found_and_the_same_at_night_is_not(own: Own, tmp_path: Path) -> None:
    orders(own)
    own.sql("DELETE FROM orders WHERE at BETWEEN '2026-05-19 21:30' AND '2026-05-20 00:30'")
    bench = Bench(tmp_path, [counts(own)])
    night = datetime(2026, 5, 20, 0, 20, tzinfo=UTC)
    bench.read(night)
    bench.assert_quiet("ingestion-gap", night)
    own.sql("DELETE FROM orders WHERE at >= '2026-05-20 06:00'")
    bench.read()
    found = bench.assert_fires("ingestion-gap")
    assert found.evidence.since == datetime(2026, 5, 20, 6, tzinfo=UTC)


def test_a_day_with_a_third_of_its_rows_is_found(own: Own, tmp_path: Path) -> None:
    orders(own, weeks=9)
    own.sql("DELETE FROM orders WHERE DATE(at) = '2026-05-19' AND id % 3 > 0")
    bench = Bench(tmp_path, [counts(own)])
    bench.read()
    bench.assert_fires("ingestion-volume")


def test_rows_from_the_future_are_found(own: Own, tmp_path: Path) -> None:
    orders(own)
    own.sql("INSERT INTO orders (at) VALUES ('2026-05-20 10:43:00')")
    bench = Bench(tmp_path, [counts(own)])
    bench.read()
    bench.assert_quiet("rows-from-the-future")  # clocks may be minutes apart
    own.sql("INSERT INTO orders (at) VALUES ('2026-05-20 16:10:00')")
    bench.read()
    bench.assert_fires("rows-from-the-future")


def test_hours_are_counted_right_through_both_changes_of_the_clocks(own: Own, tmp_path: Path) -> None:
    own.sql("CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME, KEY (at))")
    berlin = ZoneInfo("Europe/Berlin")
    for day in (datetime(2025, 10, 26, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC)):
        begin = day - timedelta(days=1)
        local = [
            (begin + n * timedelta(minutes=15)).astimezone(berlin).strftime("('%Y-%m-%d %H:%M')") for n in range(192)
        ]
        own.sql("DELETE FROM orders", f"INSERT INTO orders (at) VALUES {', '.join(local)}")
        bench = Bench(tmp_path, [counts(own, zone="Europe/Berlin", days_in="Europe/Berlin")])
        bench.read(day + timedelta(days=1, hours=3))
        hours = bench.series("rows.hourly", day + timedelta(days=1, hours=3), table="shop.orders")
        known = [
            value
            for time, value in zip(hours.times, hours.values, strict=True)
            if begin <= time < day + timedelta(days=1)
        ]
        assert known == [4.0] * 48
        days = bench.series("rows.daily", day + timedelta(days=1, hours=3), table="shop.orders")
        assert days.values[days.times.index(day)] == (100 if day.month == 10 else 92)


def test_what_was_written_late_is_counted_where_it_belongs(own: Own, tmp_path: Path) -> None:
    orders(own)
    bench = Bench(tmp_path, [counts(own)])
    bench.read()
    noon = datetime(2026, 5, 18, 12, tzinfo=UTC)
    before = bench.series("rows.hourly", table="shop.orders")
    own.sql("INSERT INTO orders (at) VALUES ('2026-05-18 12:30'), ('2026-05-18 12:31')")
    bench.read(NOW + HOUR)
    after = bench.series("rows.hourly", NOW + HOUR, table="shop.orders")
    assert after.values[after.times.index(noon)] == before.values[before.times.index(noon)] + 2
    assert bench.series("rows.hourly", NOW + timedelta(minutes=30), table="shop.orders") == before


def test_rows_without_a_time_or_label_are_told(own: Own, tmp_path: Path) -> None:
    orders(own, weeks=1)
    own.sql("INSERT INTO orders (at) VALUES (NULL), (NULL)", "UPDATE orders SET channel = NULL WHERE id = 9")
    bench = Bench(tmp_path, [counts(own, label="channel")])
    (done,) = bench.collect()
    assert done.notes == ("2 rows of orders without a time in at",)
    assert sum(bench.series("rows.hourly", label="(none)", table="shop.orders").values) == 1


def test_ten_thousand_labels_are_not_kept(own: Own, tmp_path: Path) -> None:
    own.sql(
        "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME, channel VARCHAR(20))",
        "INSERT INTO orders (at, channel) SELECT '2026-05-19 12:00', CONCAT('c', seq) FROM seq_1_to_10000",
    )
    bench = Bench(tmp_path, [counts(own, label="channel")])
    (done,) = bench.collect(most=50)
    assert [note.split(",", 1)[0] for note in done.notes] == ["10", "10"]
    assert bench.newest("rows.daily", label="(other)", table="(other)") == 10_000 - 49


def test_only_the_rows_of_the_condition_count(own: Own, tmp_path: Path) -> None:
    orders(own, weeks=1)
    own.sql("UPDATE orders SET channel = 'test%1' WHERE id > 5")
    bench = Bench(tmp_path, [counts(own, where="channel NOT LIKE 'test%'")])
    bench.read()
    assert sum(bench.series("rows.hourly", table="shop.orders").values) <= 5


def test_dates_count_by_day_and_unix_times_by_hour(own: Own, tmp_path: Path) -> None:
    own.sql(
        "CREATE TABLE orders (day DATE, unix INT UNSIGNED)",
        "INSERT INTO orders VALUES ('2026-05-18', UNIX_TIMESTAMP('2026-05-18 17:45:00'))",  # 12:15 UTC
    )
    bench = Bench(tmp_path, [counts(own, "day")])
    bench.read()
    assert bench.newest("rows.daily", table="shop.orders") == 1
    bench = Bench(tmp_path, [counts(own, "unix")])
    bench.read()
    hours = bench.series("rows.hourly", table="shop.orders")
    assert hours.times[-1] == datetime(2026, 5, 18, 12, tzinfo=UTC)


def test_a_table_that_was_never_written_to_can_be_judged(own: Own, tmp_path: Path) -> None:
    own.sql("CREATE TABLE orders (at DATETIME)")
    bench = Bench(tmp_path, [counts(own)])
    bench.read_daily(20)
    bench.assert_quiet("ingestion-gap")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE orders", "has no table orders that can be read"),
        ("ALTER TABLE orders CHANGE at moved DATETIME", "table orders has no column at"),
        ("ALTER TABLE orders MODIFY at VARCHAR(30)", "column at of table orders is a varchar and holds no times"),
    ],
)
def test_what_is_not_there_is_named(own: Own, tmp_path: Path, change: str, said: str) -> None:
    orders(own, weeks=1)
    own.sql(change)
    (done,) = Bench(tmp_path, [counts(own)]).collect()
    assert said in (done.why or "")
    assert "[[sources]]" in (done.hint or "")


def test_a_query_that_runs_for_ever_is_given_up(own: Own, tmp_path: Path) -> None:
    orders(own, weeks=1)
    endless = QuerySource(
        name="slow",
        kind="query",
        database=own.name,
        metric="own.slow",
        sql="SELECT SUM(a.seq * b.seq) FROM seq_1_to_900000 a JOIN seq_1_to_900000 b",
    )
    bench = Bench(tmp_path, [Query(reach(own.server, timeout_s=0.3), endless, "UTC"), counts(own)])
    slow, others = bench.collect()
    assert "max_statement_time" in (slow.why or "")
    assert others.why is None


def queue(own: Own, use: str) -> Queue:
    source = QueueSource(
        name="work", kind="queue", use=use, database=own.name, table="jobs", time="queued_at",  # type: ignore[arg-type]
        waiting="status = 'queued'", failed="status = 'failed'", stored_in="Asia/Kolkata",
    )  # fmt: skip
    return Queue(own.database, source)


def jobs(own: Own) -> None:
    """Twenty jobs of the last day, done; one waits for half an hour. Its times are Kolkata's."""
    now = f"TIMESTAMP '{NOW:%Y-%m-%d %H:%M:%S}' + INTERVAL 330 MINUTE"
    own.sql(
        "CREATE TABLE jobs (queued_at DATETIME, status VARCHAR(10))",
        f"INSERT INTO jobs SELECT {now} - INTERVAL seq HOUR, 'done' FROM seq_1_to_20",
        f"INSERT INTO jobs VALUES ({now} - INTERVAL 30 MINUTE, 'queued')",
    )


@pytest.mark.parametrize("use", ["transcription", "webhook"])
def test_a_queue_that_is_worked_off_raises_nothing(own: Own, tmp_path: Path, use: str) -> None:
    jobs(own)
    bench = Bench(tmp_path, [queue(own, use)])
    bench.read()
    bench.assert_quiet(f"{use}-backlog")
    bench.assert_quiet(f"{use}-failures")


@pytest.mark.parametrize("use", ["transcription", "webhook"])
def test_work_that_waits_and_work_that_fails_is_found(own: Own, tmp_path: Path, use: str) -> None:
    jobs(own)
    own.sql(
        "UPDATE jobs SET queued_at = queued_at - INTERVAL 30 HOUR WHERE status = 'queued'",
        "UPDATE jobs SET status = 'failed' WHERE status = 'done' LIMIT 6",
    )
    bench = Bench(tmp_path, [queue(own, use)])
    bench.read()
    assert bench.assert_fires(f"{use}-backlog").evidence.value == pytest.approx(30.5)
    assert bench.assert_fires(f"{use}-failures").evidence.value == pytest.approx(6 / 20)


def test_a_wordpress_is_counted_without_its_spam_and_drafts(own: Own, tmp_path: Path) -> None:
    own.sql(
        "CREATE TABLE x_comments (comment_date_gmt DATETIME NOT NULL, comment_approved VARCHAR(20))",
        "CREATE TABLE x_users (user_registered DATETIME NOT NULL)",
        "CREATE TABLE x_posts (post_date_gmt DATETIME NOT NULL, post_status VARCHAR(20), post_type VARCHAR(20))",
        "INSERT INTO x_comments VALUES ('2026-05-19 10:00', '1'), ('2026-05-19 10:00', 'spam')",
        "SET sql_mode = ''",
        "INSERT INTO x_posts VALUES ('2026-05-19 11:00', 'publish', 'post'), ('0000-00-00', 'draft', 'post')",
        "INSERT INTO x_posts VALUES ('2026-06-19 11:00', 'future', 'post')",
        "INSERT INTO x_posts VALUES ('2026-05-19 9:00', 'inherit', 'attachment')",
    )
    site = WordPressSource(name="blog", kind="wordpress", database=own.name, prefix="x_")
    bench = Bench(tmp_path, tuple(wordpress(own.database, site, "UTC")))
    bench.read()
    daily = {
        name: bench.newest("rows.daily", table=f"blog.{name}") for name in ("comments", "users", "posts", "uploads")
    }
    assert daily == {"comments": 1, "users": 0, "posts": 1, "uploads": 1}
    bench.assert_quiet("rows-from-the-future")


def test_an_own_query_with_times_is_summed_by_day(own: Own, tmp_path: Path) -> None:
    own.sql(
        "CREATE TABLE sales (at DATETIME, shop VARCHAR(9), money DECIMAL(9,2) NULL)",
        "INSERT INTO sales VALUES ('2026-05-18 09:00', 'a', 5), ('2026-05-18 23:30', 'a', 2.5), "
        "('2026-05-18 10:00', 'b', -1), ('2026-05-18 10:00', 'b', NULL), ('2026-05-20 09:00', 'a', 99)",
    )
    source = QuerySource(
        name="sales", kind="query", database=own.name, metric="own.sales", timed=True,
        sql="SELECT at, shop, money FROM sales WHERE at >= @since",
    )  # fmt: skip
    bench = Bench(tmp_path, [Query(own.database, source, "Asia/Kolkata")])
    (done,) = bench.collect()
    assert done.notes == ("1 row with NULL left out",)
    found = bench.series("own.sales", label="a")
    assert dict(zip(found.times, found.values, strict=True)) == {
        datetime(2026, 5, 18, tzinfo=UTC): 5.0,
        datetime(2026, 5, 19, tzinfo=UTC): 2.5,  # in Kolkata, it was the next day
    }
    assert bench.newest("own.sales", label="b") == -1


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1, 2, 3, 4", "returns 4 columns"),
        ("SELECT 'much'", "returns 'much' where a number belongs"),
        ("SELECT missing FROM orders", "doesn't exist"),
        ("INSERT INTO t VALUES (1)", "INSERT command denied"),
    ],
)
def test_an_own_query_that_cannot_be_used_is_told_why(own: Own, tmp_path: Path, sql: str, said: str) -> None:
    own.sql("CREATE TABLE t (id INT)")
    source = QuerySource(name="own", kind="query", database=own.name, metric="own.value", sql=sql)
    (done,) = Bench(tmp_path, [Query(own.database, source, "UTC")]).collect()
    assert said in (done.why or "")


def test_hours_are_in_a_row(own: Own, tmp_path: Path) -> None:
    orders(own, weeks=2)
    bench = Bench(tmp_path, [counts(own)])
    bench.read()
    times = bench.series("rows.hourly", table="shop.orders").times
    assert all(later - earlier == HOUR for earlier, later in pairwise(times))
