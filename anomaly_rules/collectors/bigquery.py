"""Google's billing export in BigQuery, by the service's REST interface (extra `ai`).

https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query and getQueryResults;
https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anomaly_rules.collectors import Reading, Span
from anomaly_rules.collectors.bill import BUDGET, EXPORT_AGE, HISTORY_DAYS, REVISE_DAYS, Bill, Item, Metrics, reading
from anomaly_rules.metric import Metric
from anomaly_rules.settings import BigQueryExport
from opsctl.core.errors import AuthError, OpsError, UnreachableError

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

_SCOPE = "https://www.googleapis.com/auth/bigquery.readonly"
_CALL_S = 30.0
_REFUSED = (401, 403)
_PAGE = 10_000

_QUERY = """
SELECT FORMAT_DATE('%F', DATE(usage_start_time, @zone)) AS day, IFNULL(service.description, '') AS service,
  IFNULL(currency, '') AS currency,
  SUM(cost) + SUM(IFNULL((SELECT SUM(c.amount) FROM UNNEST(credits) AS c), 0)) AS amount,
  UNIX_SECONDS(MAX(export_time)) AS written
FROM `{table}` WHERE usage_start_time >= @since GROUP BY day, service, currency
"""


@dataclass(frozen=True)
class BigQueryBill:
    """The bill of one export table."""

    source: BigQueryExport
    history_days: float = HISTORY_DAYS
    revise_days: float = REVISE_DAYS

    @property
    def name(self) -> str:
        """The source."""
        return self.source.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Costs, the age of the export, and the budget if there is one."""
        found = Metrics(self.source.zone, self.source.settle_days)
        return (found.total, found.service, EXPORT_AGE, *([BUDGET] if self.source.budget else []))

    def read(self, span: Span) -> Reading:
        """Ask. Raises AuthError for a key that is not good, UnreachableError, OpsError for what BigQuery refuses."""
        rows = list(_Service(self.source).rows(span.since))
        items = [
            Item(_day(row[0]), row[1] or "", row[2] or "(none)", float(row[3])) for row in rows if row[3] is not None
        ]
        written = max(
            (datetime.fromtimestamp(int(row[4]), UTC) for row in rows if row[4] is not None), default=span.since
        )
        metrics = Metrics(self.source.zone, self.source.settle_days)
        return reading(self.source.name, Bill(items, written), metrics, self.source.budget, span)


class _Service:
    """One query, and its pages."""

    def __init__(self, source: BigQueryExport) -> None:
        self.source = source
        self.until = time.monotonic() + source.timeout_s
        self.base = f"{source.endpoint.rstrip('/')}/bigquery/v2/projects/{source.project}/queries"

    def rows(self, since: datetime) -> Iterator[list[Any]]:
        """The rows of the answer, each a list of texts."""
        answer = self._ask("POST", self.base, json=self._request(since))
        while True:
            yield from ([cell["v"] for cell in row["f"]] for row in answer.get("rows", ()))
            token = answer.get("pageToken")
            if answer.get("jobComplete") and not token:
                return
            if time.monotonic() > self.until:
                raise OpsError(
                    f"BigQuery did not answer within {self.source.timeout_s:g} s",
                    where=self.source.table,
                    hint="raise timeout_s of that source, or look at the job in BigQuery",
                )
            job = answer["jobReference"]
            wanted = {"location": job.get("location", self.source.location), "timeoutMs": 10_000, "maxResults": _PAGE}
            params = {**wanted, "pageToken": token} if token else wanted
            answer = self._ask("GET", f"{self.base}/{job['jobId']}", params=params)

    def _request(self, since: datetime) -> dict[str, object]:
        named = {"since": ("TIMESTAMP", since.strftime("%Y-%m-%d %H:%M:%S+00")), "zone": ("STRING", self.source.zone)}
        return {
            "query": _QUERY.format(table=self.source.table.replace(":", ".")),
            "useLegacySql": False,
            "location": self.source.location,
            "timeoutMs": 10_000,
            "maxResults": _PAGE,
            "maximumBytesBilled": str(int(self.source.max_gib * (1 << 30))),
            "parameterMode": "NAMED",
            "queryParameters": [
                {"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": value}}
                for name, (kind, value) in named.items()
            ],
        }

    def _ask(self, method: str, url: str, **words: Any) -> dict[str, Any]:
        import requests
        from google.auth.exceptions import GoogleAuthError, TransportError

        try:
            # A redirect would carry the bill's query, and the token, elsewhere.
            response = self._session.request(  # type: ignore[no-untyped-call]
                method, url, timeout=_CALL_S, allow_redirects=False, **words
            )
        except (TransportError, requests.RequestException) as error:
            raise UnreachableError(
                f"BigQuery does not answer: {type(error).__name__}", where=self.source.endpoint
            ) from error
        except GoogleAuthError as error:
            raise self._refused("Google refuses the key") from error
        if response.status_code in _REFUSED:
            raise self._refused(f"BigQuery refuses it: {_message(response)}")
        if response.status_code != 200:
            raise OpsError(
                f"BigQuery says: {_message(response)} ({response.status_code})",
                where=self.source.table,
                hint="is the table's name right, and is max_gib enough?",
            )
        try:
            found: dict[str, Any] = response.json()
        except ValueError as error:
            raise UnreachableError("what answers is not BigQuery", where=self.source.endpoint) from error
        return found

    @cached_property
    def _session(self) -> "AuthorizedSession":
        try:
            import google.auth
            import requests
            from google.auth.transport.requests import AuthorizedSession, Request
            from google.oauth2.service_account import Credentials
        except ImportError as error:
            raise OpsError("BigQuery needs the extra 'ai'", hint="install it: pipx install 'opsctl[ai]'") from error
        file = self.source.credentials_file
        try:
            if file is None:
                credentials, _ = google.auth.default(scopes=[_SCOPE])
            else:
                credentials = Credentials.from_service_account_file(str(file), scopes=[_SCOPE])  # type: ignore[no-untyped-call]
        except (OSError, ValueError, google.auth.exceptions.GoogleAuthError) as error:
            # What is wrong with a key is told by its kind alone: the text may quote the key.
            raise self._refused(f"the key cannot be used ({type(error).__name__})") from None
        tokens = requests.Session()
        session = AuthorizedSession(credentials, auth_request=Request(tokens))  # type: ignore[no-untyped-call]
        session.trust_env = tokens.trust_env = False  # no proxy of the shell's sees either
        return session

    def _refused(self, why: str) -> AuthError:
        return AuthError(
            why,
            where=str(self.source.credentials_file or self.source.endpoint),
            hint="give the service account the roles BigQuery Job User and BigQuery Data Viewer, and its key here",
        )


def _day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time_of_day(), UTC)


def _message(response: Any) -> str:
    """What the service says, in its own form of errors."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(response.reason)
