"""Visits: each site over HTTP(S) as a visitor asks for it."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from opsctl.core.clock import utcnow
from opsctl.core.errors import UnreachableError
from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.runner import Runner
from opsctl.core.words import counted
from opsctl.health.deadline import Deadline
from opsctl.health.http import Answer, CertificateError, NoWayError, get
from opsctl.health.names import check_id
from opsctl.health.settings import VisitSection

DAY_S = 86400
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAINTENANCE_STATUS = 503


@dataclass(frozen=True)
class Visited:
    """A visit's last answer, how many redirects led there, and the first end (UTC) of a certificate on the way."""

    answer: Answer
    redirects: int
    valid_until: datetime | None


def visit_probe(visit: VisitSection, *, certificate_days: float, maintenance: datetime | None) -> Look:
    """A probe that visits; until `maintenance` (UTC) the answer 503 is the right one."""
    return Look(
        check_id("visit", visit.name),
        f"visitors reach {visit.name}",
        _expected(visit),
        partial(_look, visit, certificate_days, maintenance),
    )


def _expected(visit: VisitSection) -> str:
    if visit.redirects_to is not None:
        return f"{visit.url} leads to {visit.redirects_to}"
    words = f" with '{visit.text}'" if visit.text else ""
    return f"{visit.url} answers {visit.status}{words} within {visit.timeout_s:g} s"


def _look(visit: VisitSection, certificate_days: float, maintenance: datetime | None, host: Runner) -> Seen:
    hint = f"see for yourself: curl -v {visit.url}"
    try:
        found = follow(visit)
    except NoWayError as error:
        return unknown(str(error), error.hint or hint)
    except (UnreachableError, CertificateError) as error:
        return bad(str(error), error.hint or hint)
    answer = found.answer
    figures = {"duration_s": round(answer.duration_s, 4), "status": answer.status}
    if maintenance is not None and answer.status == MAINTENANCE_STATUS:
        return good(f"{MAINTENANCE_STATUS}, as maintenance until {maintenance:%Y-%m-%d %H:%M} UTC wants it", **figures)
    wrong = _mistake(visit, found)
    if wrong is not None:
        return bad(wrong, hint, **figures)
    if found.valid_until is not None:
        days = (found.valid_until - utcnow()).total_seconds() / DAY_S
        if days < certificate_days:
            return bad(
                f"its certificate ends in {days:.1f} days", "renew it: certbot renew", **figures, days=round(days, 2)
            )
    return good(f"{answer.status} within {answer.duration_s:.2f} s", **figures)


def follow(visit: VisitSection) -> Visited:
    """Visit, following redirects as far as the settings allow. Raises UnreachableError, CertificateError."""
    deadline = Deadline(visit.timeout_s)
    url, first_end = visit.url, None
    for redirects in range(visit.max_redirects + 1):
        same = urlsplit(url).hostname == urlsplit(visit.url).hostname
        address = visit.address if same else None
        answer = get(url, address=address, deadline=deadline, ca_file=visit.ca_file)
        ends = [end for end in (first_end, answer.valid_until) if end is not None]
        first_end = min(ends, default=None)
        if answer.status not in REDIRECTS or answer.location is None or visit.redirects_to is not None:
            return Visited(answer, redirects, first_end)
        if url.startswith("https://") and not answer.location.startswith("https://"):
            raise UnreachableError(
                f"it leads from https to {answer.location}", where=url, hint="look at the site's redirects"
            )
        url = answer.location
    raise UnreachableError(
        f"more than {counted(visit.max_redirects, 'redirect')}, the last one to {url}",
        where=visit.url,
        hint="look at the site's redirects",
    )


def _mistake(visit: VisitSection, found: Visited) -> str | None:
    answer = found.answer
    if visit.redirects_to is not None:
        if answer.location == visit.redirects_to:
            return None
        return f"it answers {answer.status}" + (f" and leads to {answer.location}" if answer.location else "")
    if answer.status != visit.status:
        return f"{answer.url} answers {answer.status}"
    if visit.text is not None and visit.text.encode() not in answer.body:
        return f"{answer.url} answers {answer.status}, without '{visit.text}'"
    return None
