"""Looks at resources and says what there is of each; it changes nothing."""

import base64
import hashlib
import json
import os
import pwd
import stat
from pathlib import Path
from typing import Any

from . import host, program

Resource = dict[str, Any]
State = dict[str, Any]
MAX_SHOWN = 256 << 10
"""Bytes of a file that are sent back for a diff; of longer ones, and of secret ones, only the hash is."""


def key_of(resource: Resource) -> str:
    """The name of a resource among all."""
    return f"{resource['type']}:{resource.get('path') or resource['name']}"


def observe(resources: list[Resource], *, show: bool = True) -> dict[str, State | None]:
    """The state of each resource by its key; None for what is not there. `show`: with the content of files."""
    packages = _packages({each["name"] for each in resources if each["type"] == "package"})
    units = _units([each["name"] for each in resources if each["type"] == "unit"])
    found: dict[str, State | None] = {}
    for resource in resources:
        match resource["type"]:
            case "package":
                found[key_of(resource)] = packages.get(resource["name"])
            case "unit":
                found[key_of(resource)] = units.get(resource["name"])
            case "user":
                found[key_of(resource)] = _user(resource["name"])
            case "script":
                found[key_of(resource)] = {"found": host.shell(resource["look"]).strip()}
            case "program":
                found[key_of(resource)] = program.look(resource["name"])
            case _:
                found[key_of(resource)] = _file(Path(resource["path"]), show and not resource.get("secret", False))
    return found


def fingerprint(states: dict[str, State | None]) -> str:
    """One hash over all that was found, whether or not contents are shown."""
    bare = {
        key: {name: value for name, value in state.items() if name != "content"} if state else None
        for key, state in states.items()
    }
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()


def _file(path: Path, show: bool) -> State | None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    owner, group = host.owner_of(found)
    state: State = {"owner": owner, "group": group, "mode": f"{stat.S_IMODE(found.st_mode):04o}"}
    if stat.S_ISLNK(found.st_mode):
        return {"kind": "link", "target": os.readlink(path)}
    if stat.S_ISDIR(found.st_mode):
        return {"kind": "directory", **state}
    if not stat.S_ISREG(found.st_mode):
        return {"kind": "other", **state}
    data = path.read_bytes()
    state |= {"kind": "file", "sha256": hashlib.sha256(data).hexdigest()}
    if show and len(data) <= MAX_SHOWN:
        state["content"] = base64.b64encode(data).decode()
    return state


def _packages(names: set[str]) -> dict[str, State]:
    """The versions of those that are installed."""
    if not names:
        return {}
    form = "${db:Status-Status}\t${Package}\t${Version}\n"
    said = host.run("dpkg-query", "--show", "--showformat", form, *sorted(names), check=False)
    rows = (line.split("\t") for line in said.splitlines())
    return {name: {"version": version} for status, name, version in rows if status == "installed"}


def _units(names: list[str]) -> dict[str, State]:
    """Whether units are enabled, active, held back by a condition; those that systemd does not know are left out."""
    if not names:
        return {}
    wanted = "--property=Id,LoadState,UnitFileState,ActiveState,ConditionResult,ConditionTimestampMonotonic"
    said = host.run("systemctl", "show", wanted, *names, check=False)
    found: dict[str, State] = {}
    for name, block in zip(names, said.strip().split("\n\n"), strict=False):
        facts = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if facts.get("LoadState") not in ("not-found", None):
            found[name] = {
                "enabled": facts.get("UnitFileState") in ("enabled", "enabled-runtime", "alias"),
                "active": facts.get("ActiveState") in ("active", "activating", "reloading"),
                "held": facts.get("ConditionResult") == "no" and facts.get("ConditionTimestampMonotonic") != "0",
                "masked": facts.get("LoadState") == "masked",
            }
    return found


def _user(name: str) -> State | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = host.run("id", "-Gn", name).split()
    return {"home": found.pw_dir, "shell": found.pw_shell, "groups": sorted(set(groups) - {name})}
