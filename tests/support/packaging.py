"""opsctl as it is installed: its wheel, the wheels of what it depends on, and the packages that its manual names."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
# Every block of commands in docs/installing.md, in its order.
PACKAGES, INSTALL, DEMO, LINKS, UPGRADE, UNINSTALL = re.findall(
    r"^```sh\n(.*?)^```$", (PROJECT / "docs/installing.md").read_text(), re.MULTILINE | re.DOTALL
)


def documented_packages() -> list[str]:
    """The system packages that docs/installing.md names, in its order."""
    words = PACKAGES.replace("\\\n", " ").removeprefix("apt-get install").split()
    return [word for word in words if not word.startswith("--")]


def build_wheel(directory: Path) -> Path:
    """Build the wheel of this working copy."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    [wheel] = directory.glob("*.whl")
    return wheel


def download_dependencies(directory: Path, pythons: Iterable[str], *, also: Iterable[str] = ()) -> None:
    """Fetch all that opsctl depends on, for each version of Python, of the versions and hashes in requirements.lock.

    `also` names packages that are wanted besides, with what they depend on.

    `needed.lock` in the directory is then what the last of them installs.
    """
    needed = directory / "needed.lock"
    words = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--only-binary", ":all:"]
    for python in pythons:
        needed.write_text(locked_dependencies(python, also=also))
        subprocess.run(
            [*words, "--require-hashes", "--python-version", python, "-r", needed, "-d", directory],
            check=True,
            capture_output=True,
        )


def locked_dependencies(python: str, *, also: Iterable[str] = ()) -> str:
    """The part of requirements.lock about what opsctl depends on under a version of Python.

    Markers are judged here and left out: pip would judge them by the Python that it runs under itself.
    """
    there = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    names = _closure("opsctl", there)
    for name in also:
        names |= {name} | _closure(name, there)
    entries = re.split(r"^(?=[a-z0-9])", (PROJECT / "requirements.lock").read_text(), flags=re.MULTILINE)
    chosen = {}
    for entry in entries:
        head, _, rest = entry.partition("\\\n")
        if "==" not in head:
            continue
        requirement = Requirement(head)
        if requirement.name in names and _applies(requirement, there):
            chosen[requirement.name] = f"{requirement.name}{requirement.specifier} \\\n{rest}"
    assert set(chosen) == names
    return "".join(chosen.values())


def _closure(name: str, there: dict[str, str]) -> set[str]:
    """Every package that one brings with it, directly or not, without its extras."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for text in metadata.requires(waiting.pop()) or ():
            requirement = Requirement(text)
            needed = canonicalize_name(requirement.name)
            if needed not in found and _applies(requirement, there):
                found.add(needed)
                waiting.append(needed)
    return found


def _applies(requirement: Requirement, there: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(there)
