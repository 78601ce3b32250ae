"""Programs in Python that are carried over as wheels: each version in a directory of its own, links to the one in use.

Wheels come in before a change, named by their SHA-256; those of the version in use stay, so that the next one brings
only what is new. /opt/NAME/VERSION is whole once it has the
file `.complete`; /opt/NAME/current leads to the one in use, and /usr/local/bin/NAME through it.
"""

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO

from . import host

HOME = Path("/opt")
LINKS = Path("/usr/local/bin")
WHEELS = Path("/var/lib/opsctl/deploy/wheels")
PIP = "/usr/share/python-wheels/pip-*.whl"
COMPLETE = ".complete"
KEPT = 2
"""Versions that stay besides the one in use."""
CHUNK = 1 << 20
INSTALL_TIMEOUT_S = 900

Resource = dict[str, Any]
State = dict[str, Any]


def look(name: str) -> State | None:
    """Where the links lead, and whether what is in use is whole; None when there is no link."""
    current, link = _target(HOME / name / "current"), _target(LINKS / name)
    if current is None and link is None:
        return None
    whole = current is not None and (HOME / name / current / COMPLETE).is_file()
    return {"current": current, "link": link, "whole": whole}


def missing(resources: list[Resource]) -> list[str]:
    """The SHA-256 of the wheels that have to come over; none for a version that is here already."""
    digests = [
        wheel["sha256"]
        for each in resources
        if not (HOME / each["name"] / each["version"] / COMPLETE).is_file()
        for wheel in each["wheels"]
    ]
    return [digest for digest in digests if not (WHEELS / digest).is_file()]


def store(stream: BinaryIO) -> list[str]:
    """Take wheels in: a line of JSON, `[[sha256, bytes], …]`, and then their bytes. Raises AgentError for others."""
    for directory in (WHEELS.parent, WHEELS):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    stored = []
    for digest, size in json.loads(stream.readline()):
        arriving, left, hashed = WHEELS / f".{os.getpid()}.new", int(size), hashlib.sha256()
        with arriving.open("wb") as file:
            while left and (chunk := stream.read(min(left, CHUNK))):
                file.write(chunk)
                hashed.update(chunk)
                left -= len(chunk)
        if hashed.hexdigest() != digest:
            arriving.unlink()
            raise host.AgentError(f"a wheel arrived as another one than was sent: {digest}")
        os.replace(arriving, WHEELS / digest)
        stored.append(digest)
    return stored


def undo_of(resource: Resource, state: State | None) -> dict[str, Any]:
    """What takes an installation back: the links as they were, and without what was not there before."""
    name, version = resource["name"], resource["version"]
    there = (HOME / name / version / COMPLETE).is_file()
    return {"kind": "program", "name": name, "version": version, "there": there, "state": state}


def install(resource: Resource) -> None:
    """Install a version, and let the links lead to it when it runs. Raises AgentError."""
    name, version = resource["name"], resource["version"]
    place, before = HOME / name / version, _target(HOME / name / "current")
    if (LINKS / name).exists() and not (LINKS / name).is_symlink():
        raise host.AgentError(f"{LINKS / name} is no link: move it away by hand")
    if not (place / COMPLETE).is_file():
        _make(place, resource)
    _link(HOME / name / "current", version)
    _link(LINKS / name, f"{HOME}/{name}/current/bin/{name}")
    forget_old(HOME / name, {version, before})
    used = {wheel["sha256"] for wheel in resource["wheels"]}
    for wheel in WHEELS.iterdir():
        if wheel.name not in used:
            wheel.unlink()


def undo(entry: dict[str, Any]) -> None:
    """Let the links lead where they led before."""
    name, state = entry["name"], entry["state"] or {"current": None, "link": None}
    _link(LINKS / name, state["link"])
    if (HOME / name).is_dir():
        _link(HOME / name / "current", state["current"])
    if not entry["there"]:
        shutil.rmtree(HOME / name / entry["version"], ignore_errors=True)


def _make(place: Path, resource: Resource) -> None:
    """Make the environment of a version from the wheels that came over, which pip holds against their hashes."""
    shutil.rmtree(place, ignore_errors=True)
    wheels, lines = place / "wheels", []
    # Whoever runs it has to be able to read it, whatever the umask of the change is.
    host.shell(
        f"umask 022; mkdir -p {place.parent}; python3 -m venv --without-pip {place}; mkdir {wheels}", timeout_s=300
    )
    for wheel in resource["wheels"]:
        try:
            shutil.copyfile(WHEELS / wheel["sha256"], wheels / wheel["file"])
        except FileNotFoundError:
            raise host.AgentError(f"the wheel {wheel['file']} did not come over: apply again") from None
        lines.append(f"{wheels / wheel['file']} --hash=sha256:{wheel['sha256']}\n")
    (wheels / "all.txt").write_text("".join(lines))
    # The pip of python3-venv, from where it lies: the environment gets nothing but what was carried over.
    pip = f"PYTHONPATH=$(echo {PIP}) {place}/bin/python -m pip --quiet --disable-pip-version-check"
    only = "--no-index --no-deps --no-cache-dir --require-hashes"
    install = f"{pip} install {only} --requirement {wheels}/all.txt; {pip} check"
    host.shell(f"umask 022; {install}; {place}/bin/{resource['name']} --version", timeout_s=INSTALL_TIMEOUT_S)
    shutil.rmtree(wheels)
    host.run("sync", "--file-system", str(place), timeout_s=300)
    host.write(place / COMPLETE, b"", mode=0o644, owner="root", group="root")


def forget_old(home: Path, needed: set[str | None]) -> None:
    """Keep the versions in use before and now, and of the others the newest."""
    others = [each for each in home.iterdir() if each.is_dir() and not each.is_symlink() and each.name not in needed]
    ended = sorted((each for each in others if (each / COMPLETE).is_file()), key=lambda each: each.stat().st_mtime)
    for each in ended[: max(0, len(ended) + len(needed - {None}) - 1 - KEPT)]:
        shutil.rmtree(each)


def _target(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return None


def _link(path: Path, target: str | None) -> None:
    if target is None:
        path.unlink(missing_ok=True)
    else:
        fresh = path.with_name(f".{path.name}.opsctl-new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        os.replace(fresh, path)
    host.sync_directory(path.parent)
