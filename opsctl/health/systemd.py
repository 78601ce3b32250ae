"""systemd units that have to run, and timers that have to have run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.process import command
from opsctl.core.runner import Runner
from opsctl.health.names import check_id
from opsctl.health.settings import TimerSection

_RUNS = ("active", "reloading", "activating")


def unit_probe(unit: str, timeout_s: float) -> Look:
    """A probe of one unit: it runs."""
    return Look(
        check_id("unit", unit), f"{unit} runs", "systemd says that it is active", partial(_unit, unit, timeout_s)
    )


def timer_probes(timers: Sequence[TimerSection], timeout_s: float) -> list[Look]:
    """A probe for each timer: it is armed, has run lately, and what it ran did not fail."""
    return [
        Look(
            check_id("timer", timer.unit),
            f"{timer.unit} runs",
            f"it is armed, ran within {timer.max_age_h:g} h, and what it started did not fail",
            partial(_timer, timer, timeout_s),
        )
        for timer in timers
    ]


def _unit(unit: str, timeout_s: float, host: Runner) -> Seen:
    found = _show(host, unit, ("LoadState", "ActiveState", "SubState", "Result"), timeout_s)
    hint = f"systemctl status {unit}"
    if found["LoadState"] != "loaded":
        return bad(f"there is no such unit ({found['LoadState']})", hint)
    words = f"{found['ActiveState']} ({found['SubState']})"
    if found["ActiveState"] in _RUNS and found["SubState"] != "auto-restart":
        return good(words)
    return bad(f"{words}, {found['Result']}" if found["Result"] not in {"", "success"} else words, hint)


def _timer(timer: TimerSection, timeout_s: float, host: Runner) -> Seen:
    names = ("LoadState", "ActiveState", "LastTriggerUSec", "ActiveEnterTimestamp", "Unit")
    found = _show(host, timer.unit, names, timeout_s)
    hint = f"systemctl status {timer.unit}"
    if found["LoadState"] != "loaded":
        return bad(f"there is no such timer ({found['LoadState']})", hint)
    if found["ActiveState"] != "active":
        return bad(f"it is {found['ActiveState']}: it will not run", f"systemctl enable --now {timer.unit}")
    last, armed = _moment(found["LastTriggerUSec"]), _moment(found["ActiveEnterTimestamp"])
    since = last or armed
    if since is None:
        return unknown("systemd does not say since when it is armed", hint)
    words = f"it ran on {last:%Y-%m-%d at %H:%M} UTC" if last else f"it has not run since {since:%Y-%m-%d %H:%M} UTC"
    if utcnow() - since > timedelta(hours=timer.max_age_h):
        return bad(words, hint)
    result = _show(host, found["Unit"], ("Result",), timeout_s)["Result"]
    if result not in {"", "success"}:
        return bad(f"what it started failed: {result}", f"journalctl -u {found['Unit']} -n 50")
    return good(words)


def _show(host: Runner, unit: str, names: Sequence[str], timeout_s: float) -> Mapping[str, str]:
    """Properties of a unit. Raises OpsError when systemd does not say them."""
    words = command("systemctl", "show", "--timestamp=unix", f"--property={','.join(names)}", "--", unit)
    done = host.run(words, timeout_s=timeout_s)
    found = dict(line.split("=", 1) for line in done.text().splitlines() if "=" in line)
    if not done.ok or any(name not in found for name in names):
        said = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise OpsError(f"systemd cannot be asked: {said[0]}", where=unit, hint="systemctl is-system-running")
    return found


def _moment(text: str) -> datetime | None:
    """`@1763650000` as UTC; None for `n/a` and nothing."""
    return datetime.fromtimestamp(int(text[1:]), UTC) if text.startswith("@") else None
