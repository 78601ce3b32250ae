"""What is known to have been wrong in a series: windows from a JSON file.

Forms: a list of windows, each `[start, end]`, `{"start": …, "end": …}` or one time; or an object of such lists by label
or by the name of the CSV file, as the Numenta benchmark has them.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from opsctl.core.errors import OpsError
from opsctl.core.rule import Labels

_HINT = 'write a list of windows: [["2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"], …]'


@dataclass(frozen=True)
class Window:
    """Something was wrong from `start` to `end` (UTC, both included)."""

    start: datetime
    end: datetime


def read(path: Path, csv: Path, zone: str, labels: tuple[Labels, ...]) -> dict[Labels, tuple[Window, ...]]:
    """The windows of each series. Raises OpsError when the file cannot be used, or says nothing of the series."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OpsError(f"the windows cannot be read: {error}", where=str(path), hint=_HINT) from error
    return {each: _windows(_of(found, each, path, csv), path, ZoneInfo(zone)) for each in labels}


def _of(found: Any, labels: Labels, path: Path, csv: Path) -> Any:
    """The list for one series."""
    if not isinstance(found, dict):
        return found
    names = [value for _, value in labels]
    whole = str(csv.absolute())
    for name, windows in found.items():
        if name in names or whole.endswith(f"/{name}") or name == csv.stem:
            return windows
    wanted = names[0] if names else csv.name
    raise OpsError(f"the windows say nothing of '{wanted}'", where=str(path), hint=f"they know: {_some(found)}")


def _some(found: dict[str, Any]) -> str:
    names = list(found)
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _windows(found: Any, path: Path, zone: ZoneInfo) -> tuple[Window, ...]:
    if not isinstance(found, list):
        raise OpsError("the windows are no list", where=str(path), hint=_HINT)
    return tuple(_window(each, path, zone) for each in found)


def _window(each: Any, path: Path, zone: ZoneInfo) -> Window:
    if isinstance(each, dict):
        each = [each.get("start"), each.get("end")]
    ends = [each, each] if isinstance(each, str) else each
    try:
        start, end = (_moment(end, zone) for end in ends)
    except (TypeError, ValueError):
        raise OpsError(f"this is no window: {json.dumps(each)}", where=str(path), hint=_HINT) from None
    if end < start:
        raise OpsError(f"this window ends before it starts: {json.dumps(each)}", where=str(path), hint=_HINT)
    return Window(start, end)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)
