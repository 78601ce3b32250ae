"""The wheel, what it depends on, and clean Debians to install it on: made once a session."""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.install.debian import Machine, base, machine

PROJECT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
ROOMS = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
# The first Python of each release is the one that Debian's pipx installs with.
RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
# Every block of commands in docs/installing.md, in its order.
PACKAGES, INSTALL, DEMO, LINKS, UPGRADE, UNINSTALL = re.findall(
    r"^```sh\n(.*?)^```$", (PROJECT / "docs/installing.md").read_text(), re.MULTILINE | re.DOTALL
)
WHEELS = "/wheels"
# Nothing is asked for over the network: pip finds all it needs in the directory that the machine is shown.
_PIP = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{WHEELS} /usr/share/python-wheels"}


def run_documented(machine: Machine, block: str) -> None:
    """Run commands of docs/installing.md, in the directory that the wheel is in."""
    done = machine.run("sh", "-euxc", f"cd {WHEELS}\n{block}", more=_PIP)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Built:
    """A wheel, and every file of the rooms as it was then, by its path in the project."""

    wheel: Path
    tree: dict[str, bytes]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The wheel of this working copy."""
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    [wheel] = directory.glob("*.whl")
    files = {path for room in ROOMS for path in (PROJECT / room).rglob("*") if path.is_file()}
    kept = {path for path in files if "__pycache__" not in path.parts}
    return Built(wheel, {str(path.relative_to(PROJECT)): path.read_bytes() for path in kept})


@pytest.fixture(scope="session")
def wheels(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and everything it depends on, of the versions and hashes in requirements.lock."""
    directory = tmp_path_factory.mktemp("wheels")
    needed = directory / "needed.lock"
    needed.write_text(_locked(_closure("opsctl")))
    words = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--only-binary", ":all:"]
    for python in RELEASES.values():
        subprocess.run(
            [*words, "--require-hashes", "--python-version", python, "-r", needed, "-d", directory],
            check=True,
            capture_output=True,
        )
    (directory / built.wheel.name).hardlink_to(built.wheel)
    return directory


@pytest.fixture(scope="session")
def bases() -> dict[str, Path]:
    """A clean system of each release, with the packages that docs/installing.md names; made at the same time."""
    words = PACKAGES.replace("\\\n", " ").removeprefix("apt-get install").split()
    packages = [word for word in words if not word.startswith("--")]
    with ThreadPoolExecutor(len(RELEASES)) as pool:
        made = {release: pool.submit(base, release, packages) for release in RELEASES}
    return {release: each.result() for release, each in made.items()}


@pytest.fixture(scope="module", params=RELEASES)
def installed(request: pytest.FixtureRequest, bases: dict[str, Path], wheels: Path) -> Iterator[Machine]:
    """A machine on which the wheel was just installed, with the commands that docs/installing.md has."""
    with (
        tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as place,
        machine(bases[request.param], Path(place), {wheels: WHEELS}) as clean,
    ):
        run_documented(clean, INSTALL)
        yield clean


def _closure(name: str) -> set[str]:
    """Every package that one brings with it, directly or not, without its extras."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for text in metadata.requires(waiting.pop()) or ():
            requirement = Requirement(text)
            needed = canonicalize_name(requirement.name)
            if needed not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                found.add(needed)
                waiting.append(needed)
    return found


def _locked(names: set[str]) -> str:
    """The part of requirements.lock about these packages."""
    entries = re.split(r"^(?=[a-z0-9])", (PROJECT / "requirements.lock").read_text(), flags=re.MULTILINE)
    chosen = {entry.split("==")[0]: entry for entry in entries if "==" in entry and entry.split("==")[0] in names}
    assert set(chosen) == names
    return "".join(chosen.values())
