"""The journal and auth.log: services that systemd had to start again, and logins that failed, by the hour."""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Reading, Span, hour, sample
from anomaly_rules.collectors.clock import moments
from anomaly_rules.collectors.files import text_lines
from anomaly_rules.metric import Cadence, Metric
from opsctl.core.errors import OpsError
from opsctl.core.process import Command, command
from opsctl.core.rule import MetricId
from opsctl.core.runner import Runner

RESTARTS = Metric(
    id=MetricId("host.restarts"),
    title="restarts that systemd had to schedule",
    cadence=Cadence.HOURLY,
    absent="zero",
    labels=("unit",),
)
FAILED_LOGINS = Metric(
    id=MetricId("host.failed_logins"), title="failed logins", cadence=Cadence.HOURLY, absent="zero", labels=()
)

# SD_MESSAGE_UNIT_RESTART_SCHEDULED, systemd.journal-fields(7) and the message catalogue.
_RESTART_SCHEDULED = "5eb03494b6584870a536b337290809b3"
_LOGIN_PROGRAMS = ("sshd", "sshd-session", "sudo", "su", "login")
# One line for each attempt: sshd says both of these for a user that there is not, and the first is passed over then.
_FAILED = re.compile(
    r"^(Failed (?!none)\S+ for (?!invalid user)|Invalid user "
    r"|pam_unix\((sudo|su|su-l|login):auth\): authentication failure)"
)
_AUTH_LINE = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\dT\S+|\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ (?P<program>[\w-]+)(\[\d+\])?: (?P<text>.*)"
)
_TIMEOUT_S = 60.0

NO_UNIT = "(no other unit)"
"""A series that is always 0: where nothing was ever restarted, that was found as well."""


@dataclass(frozen=True)
class Journal:
    """The system's journal, or the one in a directory."""

    host: Runner
    directory: Path | None

    def entries(
        self, span: Span, fields: Iterable[str], matches: Iterable[str]
    ) -> Iterator[tuple[datetime, dict[str, str]]]:
        """Times (UTC) and fields of entries. Raises OpsError when there is no journal or it may not be read."""
        if self.directory is not None and not any(self.directory.rglob("*.journal")):
            raise self._unreadable("there are no journal files")
        done = self.host.run(journal_command(self.directory, span, fields, matches), timeout_s=_TIMEOUT_S)
        if not done.ok or "No journal files" in done.stderr or "not seeing messages" in done.stderr:
            raise self._unreadable(
                next((line for line in done.stderr.splitlines() if line.strip()), "nothing was said")
            )
        for line in done.stdout.splitlines():
            found = json.loads(line)
            yield datetime.fromtimestamp(int(found["__REALTIME_TIMESTAMP"]) / 1e6, UTC), found

    def _unreadable(self, why: str) -> OpsError:
        return OpsError(
            f"the journal cannot be read: {why}",
            where=str(self.directory or self.host.where),
            hint="add the user that collects to the group systemd-journal; see: journalctl --disk-usage",
        )


def journal_command(directory: Path | None, span: Span, fields: Iterable[str], matches: Iterable[str]) -> Command:
    """The words that read entries of a span."""
    return command(
        *("journalctl", "--no-pager", "--output=json", f"--output-fields={','.join(fields)}"),
        *((f"--directory={directory}",) if directory else ()),
        *(f"--since=@{int(span.since.timestamp())}", f"--until=@{int(span.now.timestamp())}"),
        *matches,
    )


@dataclass(frozen=True)
class Restarts:
    """Counts automatic restarts of units."""

    journal: Journal
    name: str = "service restarts"
    metrics: tuple[Metric, ...] = (RESTARTS,)
    history_days: float = 30
    revise_days: float = 1

    def read(self, span: Span) -> Reading:
        """Count. Raises OpsError."""
        counts: Counter[tuple[datetime, str]] = Counter()
        for at, entry in self.journal.entries(span, ("UNIT", "USER_UNIT"), (f"MESSAGE_ID={_RESTART_SCHEDULED}",)):
            counts[hour(at), str(entry.get("UNIT") or entry.get("USER_UNIT") or "(unknown)")] += 1
        counts[hour(span.since), NO_UNIT] += 0
        samples = tuple(
            sample(RESTARTS, time, count, unit=unit) for (time, unit), count in counts.items() if time < hour(span.now)
        )
        return Reading(samples, hour(span.now))


@dataclass(frozen=True)
class FailedLogins:
    """Counts failed logins in the journal, or in the file that rsyslog writes."""

    journal: Journal | None
    auth_log: Path | None
    zone: str = "UTC"
    name: str = "failed logins"
    metrics: tuple[Metric, ...] = (FAILED_LOGINS,)
    history_days: float = 60
    revise_days: float = 1

    def read(self, span: Span) -> Reading:
        """Count. Raises OpsError."""
        counts = Counter(hour(at) for at, text in self._lines(span) if _FAILED.match(text) and at >= span.since)
        counts[hour(span.since)] += 0
        samples = tuple(sample(FAILED_LOGINS, time, n) for time, n in counts.items() if time < hour(span.now))
        return Reading(samples, hour(span.now))

    def _lines(self, span: Span) -> Iterator[tuple[datetime, str]]:
        if self.auth_log is not None:
            yield from _auth_lines(self.auth_log, span.now, ZoneInfo(self.zone))
        elif self.journal is not None:
            matches = [f"SYSLOG_IDENTIFIER={program}" for program in _LOGIN_PROGRAMS]
            for at, entry in self.journal.entries(span, ("MESSAGE",), matches):
                yield at, str(entry.get("MESSAGE", ""))


def _auth_lines(path: Path, now: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, str]]:
    """Lines of the file and of what logrotate made of it. Times without a year are the last that fit before now."""
    rotated = sorted(path.parent.glob(f"{path.name}.*"), reverse=True)
    for file in (*rotated, path):
        for line in text_lines(file):
            match = _AUTH_LINE.match(line)
            if match and match["program"] in _LOGIN_PROGRAMS and (at := _time(match["time"], now, zone)) is not None:
                yield at, match["text"]


def _time(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment (UTC) that a line begins with; None when it is none."""
    if text[0].isdigit():
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text).astimezone(UTC)
        return None
    for year in (now.year, now.year - 1):
        # The year belongs to what is read: 29 February is no day of most.
        with contextlib.suppress(ValueError):
            local = datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S")  # noqa: DTZ007 - the zone is the host's
            if (moment := moments(local, zone)[0]) <= now + timedelta(days=1):
                return moment
    return None
