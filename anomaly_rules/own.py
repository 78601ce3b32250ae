"""Rules of the customer's own as a Python file: a list `RULES` of objects that are a `Rule` (opsctl/core/rule.py)."""

import importlib.util
import os
import stat
import traceback
from pathlib import Path
from types import ModuleType

from opsctl.core.errors import SettingsError
from opsctl.core.rule import Rule, Severity

_PARTS = ("id", "question", "severity", "needs", "min_history_days", "reach_days", "evaluate")
_HINT = "how such a file is written: docs/anomalies.md"


def load(path: Path) -> tuple[Rule, ...]:
    """Run a file and return its rules.

    Raises SettingsError that says which line failed, or which rule lacks what; and for a file that others may write,
    since it runs with the rights of opsctl.
    """
    _trusted(path)
    module = _run(path)
    rules = getattr(module, "RULES", None)
    if not isinstance(rules, list | tuple) or not rules:
        raise SettingsError("the file has no list RULES with rules in it", where=str(path), hint=_HINT)
    for number, rule in enumerate(rules, 1):
        _complete(rule, f"rule {number}", path)
    return tuple(rules)


def _trusted(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(
            f"the file with rules cannot be read: {error.strerror}", where=str(path), hint="see anomalies.rule_files"
        ) from error
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in {0, os.geteuid()}:
        raise SettingsError(
            "others may write the file with rules, and it runs with the rights of opsctl",
            where=str(path),
            hint=f"chmod go-w {path}, and let root own it",
        )


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"opsctl_own_rules_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SettingsError("a file with rules has to end in .py", where=str(path), hint=_HINT)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == str(path)]
        line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
        place = f"{path}:{line}" if line else str(path)
        raise SettingsError(
            f"the file with rules fails with {type(error).__name__}: {error}", where=place, hint=_HINT
        ) from error
    return module


def _complete(rule: object, name: str, path: Path) -> None:
    parts = {part: getattr(rule, part, None) for part in _PARTS}
    name = f"rule '{parts['id']}'" if isinstance(parts["id"], str) else name
    lacking = [part for part, value in parts.items() if value is None]
    if lacking:
        raise SettingsError(f"{name} lacks {', '.join(lacking)}", where=str(path), hint=_HINT)
    forms = {
        "id": str,
        "question": str,
        "severity": Severity,
        "needs": tuple,
        "min_history_days": int,
        "reach_days": int,
    }
    for part, form in forms.items():
        if not isinstance(parts[part], form) or not (parts[part] or form is int):
            raise SettingsError(f"{name}: its {part} is no {form.__name__}, or empty", where=str(path), hint=_HINT)
