"""Makes single changes and takes them back. An undo is data: it is in the journal before the change is made."""

import base64
import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from . import host, program
from .observe import Resource, State

Undo = dict[str, Any]
OLD = "old"


def undo_of(resource: Resource, state: State | None, directory: Path, number: int) -> Undo:
    """What will take a change of this resource back; what it needs for that is kept in the bundle's directory."""
    if resource.get("keep"):
        return {"kind": "nothing"}
    match resource["type"]:
        case "unit":
            return {"kind": "unit", "name": resource["name"], "state": state}
        case "user":
            return {"kind": "user", "name": resource["name"], "state": state}
        case "script":
            return {"kind": "script", "script": resource["undo"]}
        case "program":
            return program.undo_of(resource, state)
    path = Path(resource["path"])
    undo: Undo = {"kind": "path", "path": str(path), "state": state and _without_content(state), "old": None}
    if state is not None and state["kind"] == "file":
        kept = directory / OLD / str(number)
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(path, kept)
        with kept.open("rb") as file:
            os.fsync(file.fileno())
        host.sync_directory(kept.parent)
        undo["old"] = f"{OLD}/{number}"
    return undo


def do(resource: Resource, state: State | None, directory: Path) -> None:
    """Bring a resource to what it shall be. Raises AgentError."""
    match resource["type"]:
        case "unit":
            _set_unit(resource["name"], enabled=resource["enabled"], active=resource["active"])
        case "user":
            _set_user(resource, state)
        case "script":
            _run_script(resource)
        case "program":
            program.install(resource)
        case _:
            _set_path(resource, state, directory)


def undo(entry: Undo, directory: Path) -> None:
    """Take a change back, whether or not it was made."""
    state: State | None = entry.get("state")
    match entry["kind"]:
        case "unit":
            if state is not None:
                _set_unit(entry["name"], enabled=state["enabled"], active=state["active"])
        case "user":
            if state is None:
                host.run("userdel", entry["name"], check=False)
            else:
                _set_user({"name": entry["name"], **state}, state)
        case "script":
            host.shell(entry["script"], timeout_s=600)
        case "program":
            program.undo(entry)
        case "path":
            _restore(Path(entry["path"]), state, directory / entry["old"] if entry["old"] else None)


def _without_content(state: State) -> State:
    return {name: value for name, value in state.items() if name != "content"}


def _set_unit(name: str, *, enabled: bool, active: bool) -> None:
    host.run("systemctl", "enable" if enabled else "disable", name)
    host.run("systemctl", "start" if active else "stop", name)


def _run_script(resource: Resource) -> None:
    try:
        host.shell(resource["do"], timeout_s=600)
    except host.AgentError as error:
        raise host.AgentError(f"{resource['shown']}: {error}") from None


def _set_user(resource: Resource, state: State | None) -> None:
    words = ["--shell", resource["shell"], "--home-dir" if state is None else "--home", resource["home"]]
    words += ["--groups", ",".join(resource["groups"])]
    if state is None:
        kind = ["--system", "--user-group"] if resource.get("system") else ["--user-group"]
        host.run("useradd", *kind, *words, "--create-home" if resource.get("create_home") else "-M", resource["name"])
    else:
        host.run("usermod", *words, resource["name"])


def _set_path(resource: Resource, state: State | None, directory: Path) -> None:
    path, kind = Path(resource["path"]), resource["type"]
    if state is not None and state["kind"] not in (kind, "file", "link") and kind != "absent":
        raise host.AgentError(f"{path} is a {state['kind']}, where a {kind} shall be: move it away by hand")
    match kind:
        case "absent":
            _remove(path)
        case "directory":
            if state is None or state["kind"] != "directory":
                _remove(path)
                path.mkdir()
            shutil.chown(path, resource["owner"], resource["group"])
            path.chmod(int(resource["mode"], 8))
        case "link":
            temporary = host.unfinished(path)
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(resource["target"])
            os.replace(temporary, path)
        case "file":
            data = base64.b64decode(resource["content"])
            mode = int(resource["mode"], 8)
            host.write(path, data, mode=mode, owner=resource["owner"], group=resource["group"])
        case _:
            raise host.AgentError(f"this agent knows no resource of type {kind}")
    host.sync_directory(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        with contextlib.suppress(FileNotFoundError):
            path.rmdir()  # never with what somebody put into it
    else:
        path.unlink(missing_ok=True)


def _restore(path: Path, state: State | None, old: Path | None) -> None:
    if state is None:
        if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
            return
        if path.parent.is_dir():
            host.unfinished(path).unlink(missing_ok=True)
            _remove(path)
            host.sync_directory(path.parent)
    elif state["kind"] == "file" and old is not None:
        host.write(path, old.read_bytes(), mode=int(state["mode"], 8), owner=state["owner"], group=state["group"])
    elif state["kind"] == "link":
        _set_path({"type": "link", "path": str(path), "target": state["target"]}, None, path.parent)
    elif state["kind"] == "directory":
        _set_path({"type": "directory", "path": str(path), **state}, state, path.parent)
