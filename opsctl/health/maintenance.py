"""Maintenance: visitors get 503 and a page until a time, and health and rules know."""

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opsctl.core.clock import utcnow
from opsctl.core.durable import replace_file
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.failpoints import failpoint
from opsctl.core.ledger import Ledger
from opsctl.core.locks import lock
from opsctl.core.machine import MachineSection
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.runner import Runner
from opsctl.health import nginx
from opsctl.health.records import MAINTENANCE, VERSION, MaintenanceBody
from opsctl.health.settings import MaintenanceSection, VisitSection
from opsctl.health.snippets import HTTP_FILE, SERVER_FILE, http_snippet, server_snippet
from opsctl.health.state import DIRECTORY, Maintenance, current, state_file
from opsctl.health.visit import follow

LONGEST_PAGE = 64 << 10


@dataclass(frozen=True)
class Desk:
    """Where maintenance is switched: the machine, its nginx, and who asks whether it holds."""

    stack: str
    machine: MachineSection
    settings: MaintenanceSection
    config: Path
    visits: Sequence[VisitSection]
    ledger: Ledger
    runner: Runner

    @property
    def directory(self) -> Path:
        """Where the snippets and the state lie."""
        return self.machine.state_dir / DIRECTORY


@dataclass(frozen=True)
class Seen:
    """What a visit got: a status, or why it got none."""

    name: str
    status: int | None
    problem: str | None


@dataclass(frozen=True)
class Switched:
    """What switching came to: the maintenance there is now, why nginx did not take it, what visits got."""

    maintenance: Maintenance | None
    problem: str | None
    seen: tuple[Seen, ...]


def switch_on(desk: Desk, *, reason: str, until: datetime, allow: Sequence[str], lock_wait_s: float = 0.0) -> Switched:
    """Begin maintenance, or change what there is, until a time (UTC); it ends by itself, whatever becomes of opsctl.

    `allow` are addresses and networks that are let through, beside those of the settings. Raises SettingsError for a
    time that is over, an address that is none, and an nginx that does not include the snippets; OpsError for a
    configuration that nginx refuses: everything is as before then.
    """
    now = utcnow()
    if until <= now:
        raise SettingsError(f"{until:%Y-%m-%d %H:%M} UTC is over", hint="say until when: --until 2026-05-01T04:30:00Z")
    through = tuple(dict.fromkeys(_network(each) for each in (*desk.settings.allow, *allow)))
    with lock(desk.machine.lock_dir, f"maintenance-{desk.stack}", doing="maintenance on", wait_s=lock_wait_s):
        before = current(desk.machine.state_dir, now)
        since = before.since if before else now
        wanted = Maintenance(reason=reason, since=since, until=until, allow=through)
        _require_includes(desk)
        with _or_as_before(desk):
            _write(desk, wanted)
            nginx.test_config(desk.runner, desk.config)
        replace_file(state_file(desk.machine.state_dir), wanted.model_dump_json().encode())
        failpoint("maintenance.before_reload")
        problem = nginx.reload_config(desk.runner, desk.config)
        _record(desk, "on", wanted)
    return Switched(wanted, problem, tuple(map(_visit, desk.visits)))


def switch_off(desk: Desk, *, lock_wait_s: float = 0.0) -> Switched:
    """End maintenance now. Raises OpsError when nginx refuses its configuration, for whatever reason."""
    with lock(desk.machine.lock_dir, f"maintenance-{desk.stack}", doing="maintenance off", wait_s=lock_wait_s):
        with contextlib.suppress(OpsError):  # whatever cannot be read is taken away
            before = current(desk.machine.state_dir, utcnow())
            if before is not None:
                _record(desk, "off", before)
        _write(desk, None)
        state_file(desk.machine.state_dir).unlink(missing_ok=True)
        nginx.test_config(desk.runner, desk.config)
        problem = nginx.reload_config(desk.runner, desk.config)
    return Switched(None, problem, tuple(map(_visit, desk.visits)))


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise SettingsError(
            f"'{text}' is no address and no network", hint="like 203.0.113.7 or 2001:db8::/32"
        ) from None


def _require_includes(desk: Desk) -> None:
    """Refuse when visitors of some site would see nothing of maintenance."""
    missing = nginx.gaps(desk.config, desk.directory)
    if missing:
        lines = "".join(f"\n  {gap.line}  in {gap.where}" for gap in missing)
        raise SettingsError(
            f"nginx does not include what maintenance needs:{lines}",
            hint="add the lines; what is left is shown by: opsctl maintenance status",
        )


def _write(desk: Desk, maintenance: Maintenance | None) -> None:
    """Write the snippets, the one that makes the variable first: nginx can start wherever this is killed."""
    page = _page(desk.settings.page) if maintenance and desk.settings.page else None
    replace_file(desk.directory / HTTP_FILE, http_snippet(maintenance).encode())
    failpoint("maintenance.between")
    replace_file(desk.directory / SERVER_FILE, server_snippet(maintenance, page).encode())


def _page(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the page for visitors cannot be read: {error}", where=str(path), hint=f"ls -l {path}"
        ) from error
    if len(text) > LONGEST_PAGE:
        raise SettingsError(
            f"the page for visitors is longer than {LONGEST_PAGE} bytes", where=str(path), hint="shorten it"
        )
    return text


@contextlib.contextmanager
def _or_as_before(desk: Desk) -> Iterator[None]:
    """Put the snippets back when something fails."""
    files = [desk.directory / name for name in (SERVER_FILE, HTTP_FILE)]
    before = [file.read_bytes() if file.exists() else None for file in files]
    try:
        yield
    except BaseException:
        for file, data in zip(files, before, strict=True):
            if data is None:
                file.unlink(missing_ok=True)
            else:
                replace_file(file, data)
        raise


def _visit(visit: VisitSection) -> Seen:
    try:
        return Seen(visit.name, follow(visit).answer.status, None)
    except OpsError as error:
        return Seen(visit.name, None, str(error))


def _record(desk: Desk, action: str, maintenance: Maintenance) -> None:
    now = utcnow()
    desk.ledger.append(
        Record(
            kind=MAINTENANCE,
            version=VERSION,
            subject=desk.stack,
            started=now,
            finished=now,
            outcome=Outcome.PASSED,
            fresh_until=maintenance.until if action == "on" else None,
            body=MaintenanceBody.model_validate(
                {
                    "action": action,
                    "reason": maintenance.reason,
                    "since": maintenance.since,
                    "until": maintenance.until,
                    "allow": maintenance.allow,
                }
            ),
        )
    )
