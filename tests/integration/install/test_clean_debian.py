"""The wheel on a clean Debian 12 and a clean Debian 13: installed with pipx, looked at by doctor, drilled."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opsctl import __version__
from tests.integration.install.conftest import run_documented
from tests.integration.install.debian import Machine
from tests.support.debian import Base
from tests.support.packaging import DEMO, LINKS, PROJECT, UNINSTALL, UPGRADE

# The first time, both systems are made: minutes, of which most is unpacking packages.
pytestmark = pytest.mark.timeout(1500)

_DEMO = "/tmp/d"
_SETTINGS = f"{_DEMO}/opsctl/opsctl.toml"


def answer(machine: Machine, *words: str) -> Any:
    """What a command answers with --json; it has to succeed."""
    done = machine.run("opsctl", *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_installed_program_runs(installed: Machine) -> None:
    assert installed.run("opsctl", "--version").stdout == f"opsctl {__version__}\n"


def test_doctor_says_what_to_type_first_when_there_are_no_settings(installed: Machine) -> None:
    done = installed.run("opsctl", "doctor")
    assert done.returncode == 2
    assert "Try: make one with: opsctl init" in done.stderr


def test_the_demo_and_then_doctor_and_a_drill_find_nothing_wrong(installed: Machine) -> None:
    assert DEMO == "opsctl demo\n"
    demo = answer(installed, "demo", "--keep", "--dir", _DEMO)
    assert {result["outcome"] for result in demo["drill"]["body"]["results"]} == {"passed"}
    doctor = answer(installed, "doctor", "--config", _SETTINGS)
    assert {result["outcome"] for result in doctor["results"]} == {"passed"}
    drill = answer(installed, "drill", "run", "--config", _SETTINGS)
    assert [result["outcome"] for result in drill["report"]["body"]["results"]] == ["passed"] * 8
    answer(installed, "demo", "--remove", _DEMO)


def test_manual_and_completions_are_found_where_the_documentation_links_them(installed: Machine) -> None:
    run_documented(installed, LINKS)
    assert installed.run("grep", "-q", "^.TH OPSCTL 1", "/usr/local/share/man/man1/opsctl.1").returncode == 0
    for path in ("/usr/local/share/zsh/site-functions/_opsctl", "/etc/fish/completions/opsctl.fish"):
        assert installed.run("test", "-s", path).returncode == 0
    completed = "COMP_WORDS=(opsctl dri); COMP_CWORD=1; _opsctl; printf %s ${COMPREPLY[*]}"
    done = installed.run("bash", "-euc", f"source /etc/bash_completion.d/opsctl; {completed}")
    assert done.stdout == "drill"


def test_it_is_replaced_by_another_version_and_removed(installed: Machine) -> None:
    run_documented(installed, UPGRADE)
    assert installed.run("opsctl", "--version").returncode == 0
    run_documented(installed, UNINSTALL)
    assert installed.run("opsctl", "--version").returncode == 127


def test_what_a_machine_writes_is_neither_in_its_base_nor_seen_here(installed: Machine, bases: dict[str, Base]) -> None:
    assert installed.run("touch", "/etc/was-here").returncode == 0
    assert installed.run("test", "-e", "/etc/was-here").returncode == 0
    assert not [base for base in bases.values() if (base.layers[0] / "etc/was-here").exists()]
    assert "upperdir=upper" not in Path("/proc/self/mounts").read_text()


HOLDER = """
import sys
from pathlib import Path
from tests.integration.install.debian import machine
from tests.support.debian import Base
with machine(Base((Path(sys.argv[1]),)), Path(sys.argv[2]), {}) as held:
    print(held.pid, flush=True)
    sys.stdin.read()
"""


def test_a_machine_ends_with_the_program_that_holds_it_even_by_kill(bases: dict[str, Base], tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLDER, str(bases["bookworm"].layers[0]), str(tmp_path)]
    with subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        first = os.pidfd_open(int(holder.stdout.readline()))
        holder.kill()
    try:
        ended = select.poll()
        ended.register(first, select.POLLIN)
        assert ended.poll()
    finally:
        os.close(first)
    assert not list(tmp_path.iterdir())
