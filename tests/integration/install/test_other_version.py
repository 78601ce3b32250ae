"""All of it on MariaDB 11.8, on a clean Debian 13; and logical exports from the one version into the other."""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.install.debian import Machine, machine
from tests.support import across
from tests.support.debian import Base, Recipe, as_root, base
from tests.support.packaging import PROJECT, documented_packages, download_dependencies, locked_dependencies

# The first time, the system is made: minutes, of which most is unpacking packages.
pytestmark = pytest.mark.timeout(1500)

RELEASE, PYTHON = "trixie", "3.13"
SERIES = "11.8"
NEEDED_BY_TESTS = ("pytest", "pytest-timeout", "hypothesis")
TESTS = "/opt/tests"
HERE = "/project"
_INSTALL = f"""
python3 -m venv {TESTS}/venv
cd {TESTS}/wheels
../venv/bin/pip --quiet install --no-index --find-links . --require-hashes -r needed.lock
cd /
rm -rf {TESTS}/wheels
"""


def with_test_environment() -> Base:
    """Debian 13 with the packages that docs/installing.md names, and on it what the tests themselves need."""
    lock = locked_dependencies(PYTHON, also=NEEDED_BY_TESTS)

    def fill(extra: Path) -> None:
        wheels = extra / TESTS.removeprefix("/") / "wheels"
        wheels.mkdir(parents=True)
        download_dependencies(wheels, (PYTHON,), also=NEEDED_BY_TESTS)

    system = base(Recipe(RELEASE, documented_packages()))
    return base(
        Recipe(RELEASE, on=system, script=_INSTALL, fill=fill, version=hashlib.sha256(lock.encode()).hexdigest())
    )


@pytest.fixture(scope="module")
def exported_here() -> Iterator[Path]:
    """A directory with an export of this machine's version."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        across.make(Path(name))
        yield Path(name)


@pytest.fixture(scope="module")
def other(exported_here: Path) -> Iterator[Machine]:
    """A running Debian 13, which may read this project and the export."""
    with (
        tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as place,
        machine(with_test_environment(), Path(place), {PROJECT: HERE, exported_here: "/exported"}) as running,
    ):
        yield running


def python(other: Machine, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run Python there, in this project, writing nothing into it."""
    script = f'cd {HERE} && exec {TESTS}/venv/bin/python "$@"'
    return other.run("sh", "-euc", script, "sh", *words, more={"PYTHONDONTWRITEBYTECODE": "1"})


def answer(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_backups_logs_drills_restores_and_exports_work_there(other: Machine) -> None:
    assert f" {SERIES}." in other.run("mariadbd", "--version").stdout
    tests = "tests/integration/engine"
    done = python(other, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "engine", tests)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_an_export_of_this_version_passes_its_drill_there(other: Machine) -> None:
    assert other.run("cp", "-a", "/exported", "/tmp/e").returncode == 0
    assert other.run("chmod", "711", "/tmp/e").returncode == 0
    results = answer(python(other, "-m", "tests.support.across", "drill", "/tmp/e"))
    assert {outcome for outcome, _ in results.values()} == {"passed"}, results


def test_an_export_from_there_passes_its_drill_here(other: Machine) -> None:
    assert other.run("mkdir", "-p", "/tmp/m").returncode == 0
    version = answer(python(other, "-m", "tests.support.across", "make", "/tmp/m"))
    assert version.startswith(SERIES)
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        copied = Path(name) / "m"
        subprocess.run([*as_root(), "cp", "-a", f"/proc/{other.pid}/root/tmp/m", copied], check=True)
        Path(name).chmod(0o711)
        copied.chmod(0o711)
        results = across.drill(copied)
    assert {outcome for outcome, _ in results.values()} == {"passed"}, results
