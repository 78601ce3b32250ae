"""Google's billing export, asked over the service's REST wire from a loopback server with tokens of its own."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from anomaly_rules.collectors.bigquery import BigQueryBill
from anomaly_rules.settings import BigQueryExport
from tests.support.measuring import NOW, Bench

TODAY = datetime(2026, 5, 20, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class BigQuery:
    """What the server was asked, and how it answers: `rows` in pages, or an error."""

    port: int = 0
    rows: list[list[str | None]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    error: tuple[int, str] | None = None
    token_error: bool = False
    incomplete: int = 0
    page: int = 100
    redirect: bool = False


class _Handler(BaseHTTPRequestHandler):
    service: BigQuery

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            grant = urllib.parse.parse_qs(body.decode())
            assert grant["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            if self.service.token_error:
                self._answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
            else:
                self._answer(200, {"access_token": "good", "expires_in": 3600, "token_type": "Bearer"})
            return
        self.service.asked.append(json.loads(body))
        if self.service.redirect:
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{self.service.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._result(0)

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        assert "/queries/job1" in self.path
        assert query["location"] == ["asia-south1"]
        self._result(int(query.get("pageToken", ["0"])[0]))

    def _result(self, first: int) -> None:
        service = self.service
        if self.headers["Authorization"] != "Bearer good":
            self._answer(401, {"error": {"code": 401, "message": "Request had invalid authentication credentials."}})
        elif service.error is not None:
            self._answer(service.error[0], {"error": {"code": service.error[0], "message": service.error[1]}})
        elif service.incomplete:
            service.incomplete -= 1
            self._answer(200, {"jobComplete": False, "jobReference": {"jobId": "job1", "location": "asia-south1"}})
        else:
            page = service.rows[first : first + service.page]
            more = {"pageToken": str(first + service.page)} if first + service.page < len(service.rows) else {}
            rows = [{"f": [{"v": value} for value in row]} for row in page]
            reference = {"jobId": "job1", "location": "asia-south1"}
            self._answer(200, {"jobComplete": True, "jobReference": reference, "rows": rows, **more})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def service() -> Iterator[BigQuery]:
    found = BigQuery()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": found}))
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bill(service: BigQuery, tmp_path: Path) -> BigQueryBill:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {
        "type": "service_account", "client_email": "bill@acme-ops.example", "private_key_id": "1", "private_key": pem,
        "token_uri": f"http://127.0.0.1:{service.port}/token",
    }  # fmt: skip
    (tmp_path / "key.json").write_text(json.dumps(account))
    source = BigQueryExport(
        kind="bigquery", name="cloud", project="acme-ops", table="acme-ops:billing.export", location="asia-south1",
        credentials_file=tmp_path / "key.json", endpoint=f"http://127.0.0.1:{service.port}", timeout_s=20,
    )  # fmt: skip
    return BigQueryBill(source)


def days(count: int, *, until: datetime = TODAY) -> list[list[str | None]]:
    written = str(int(NOW.timestamp()) - 3600)
    found: list[list[str | None]] = []
    for back in reversed(range(1, count + 1)):
        day = until - back * DAY
        found.append([f"{day:%Y-%m-%d}", "Vertex AI", "USD", str(40 + day.weekday()), written])
        found.append([f"{day:%Y-%m-%d}", "Cloud SQL", "USD", "12.5", written])
    return found


def test_a_bill_of_many_pages_is_read_whole(service: BigQuery, bill: BigQueryBill, tmp_path: Path) -> None:
    service.rows, service.page, service.incomplete = days(90), 7, 2
    bench = Bench(tmp_path, [bill])
    bench.read()
    for rule in ("cost-spike", "cost-flatline", "cost-lines", "cost-export-stale"):
        bench.assert_quiet(rule)
    assert len(bench.series("cost.daily", currency="USD", source="cloud").values) == 90
    asked = service.asked[0]
    assert "`acme-ops.billing.export`" in asked["query"]
    assert asked["maximumBytesBilled"] == str(10 << 30)
    values = {each["name"]: each["parameterValue"]["value"] for each in asked["queryParameters"]}
    assert values == {"since": "2025-04-15 00:00:00+00", "zone": "America/Los_Angeles"}


def test_an_outage_of_billing_surfaces_on_the_next_day(service: BigQuery, bill: BigQueryBill, tmp_path: Path) -> None:
    service.rows = [*days(90, until=TODAY - DAY), [f"{TODAY:%Y-%m-%d}", "", "USD", "0", str(int(NOW.timestamp()))]]
    bench = Bench(tmp_path, [bill])
    bench.read()
    bench.assert_fires("cost-flatline")


def test_the_second_reading_asks_only_for_what_may_have_changed(
    service: BigQuery, bill: BigQueryBill, tmp_path: Path
) -> None:
    service.rows = days(90)
    bench = Bench(tmp_path, [bill])
    bench.read()
    bench.read(NOW + DAY)
    assert service.asked[1]["queryParameters"][0]["parameterValue"]["value"] == "2026-05-06 00:00:00+00"
    assert len(bench.series("cost.daily", NOW + DAY, currency="USD", source="cloud").values) == 90


def refused(bill: BigQueryBill, tmp_path: Path) -> tuple[str, str]:
    (done,) = Bench(tmp_path, [bill]).collect()
    assert done.why is not None
    return done.why, done.hint or ""


def test_what_bigquery_refuses_is_told_in_its_own_words(service: BigQuery, bill: BigQueryBill, tmp_path: Path) -> None:
    service.error = (404, "Not found: Table acme-ops:billing.export")
    assert "Not found: Table acme-ops:billing.export (404)" in refused(bill, tmp_path)[0]
    service.error = (403, "Access Denied: User does not have bigquery.jobs.create")
    why, hint = refused(bill, tmp_path)
    assert "bigquery.jobs.create" in why
    assert "BigQuery Job User" in hint


def test_a_key_that_google_does_not_know_is_told_without_the_key(
    service: BigQuery, bill: BigQueryBill, tmp_path: Path
) -> None:
    service.token_error = True
    assert "Google refuses the key" in refused(bill, tmp_path)[0]
    (tmp_path / "key.json").write_text('{"private_key": "TOPSECRET", "client_email": 1}')
    why, _ = refused(BigQueryBill(bill.source), tmp_path)
    assert "the key cannot be used" in why
    assert "TOPSECRET" not in why


def test_a_redirect_is_not_followed(service: BigQuery, bill: BigQueryBill, tmp_path: Path) -> None:
    service.redirect = True
    assert "(307)" in refused(bill, tmp_path)[0]
    assert len(service.asked) == 1


def test_a_service_that_is_gone_is_told(service: BigQuery, bill: BigQueryBill, tmp_path: Path) -> None:
    source = bill.source.model_copy(update={"endpoint": "http://127.0.0.1:9"})
    assert "BigQuery does not answer" in refused(BigQueryBill(source), tmp_path)[0]


def test_a_query_that_never_completes_is_given_up(service: BigQuery, bill: BigQueryBill, tmp_path: Path) -> None:
    service.incomplete = 1_000_000
    source = bill.source.model_copy(update={"timeout_s": 0.2})
    assert "did not answer within 0.2 s" in refused(BigQueryBill(source), tmp_path)[0]
