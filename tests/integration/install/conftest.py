"""The wheel, what it depends on, and clean Debians to install it on: made once a session."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.install.debian import Machine, machine
from tests.support.debian import Base, Recipe, base
from tests.support.packaging import (
    INSTALL,
    PROJECT,
    PYPROJECT,
    build_wheel,
    documented_packages,
    download_dependencies,
)

ROOMS = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
# The first Python of each release is the one that Debian's pipx installs with.
RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
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
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    files = {path for room in ROOMS for path in (PROJECT / room).rglob("*") if path.is_file()}
    kept = {path for path in files if "__pycache__" not in path.parts}
    return Built(wheel, {str(path.relative_to(PROJECT)): path.read_bytes() for path in kept})


@pytest.fixture(scope="session")
def wheels(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and everything it depends on, of the versions and hashes in requirements.lock."""
    directory = tmp_path_factory.mktemp("wheels")
    download_dependencies(directory, RELEASES.values())
    (directory / built.wheel.name).hardlink_to(built.wheel)
    return directory


@pytest.fixture(scope="session")
def bases() -> dict[str, Base]:
    """A clean system of each release, with the packages that docs/installing.md names; made at the same time."""
    with ThreadPoolExecutor(len(RELEASES)) as pool:
        made = {release: pool.submit(base, Recipe(release, documented_packages())) for release in RELEASES}
    return {release: each.result() for release, each in made.items()}


@pytest.fixture(scope="module", params=RELEASES)
def installed(request: pytest.FixtureRequest, bases: dict[str, Base], wheels: Path) -> Iterator[Machine]:
    """A machine on which the wheel was just installed, with the commands that docs/installing.md has."""
    with (
        tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as place,
        machine(bases[request.param], Path(place), {wheels: WHEELS}) as clean,
    ):
        run_documented(clean, INSTALL)
        yield clean
