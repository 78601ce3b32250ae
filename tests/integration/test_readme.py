"""Every command in README.md is run, as it stands there, on a customer's host."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from opsctl.cli.main import Root, app
from opsctl.overview.demo.stack import DemoStack

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SCRIPTS = ("script/demo", "script/test")

# Of the machine: what the customer's host has of its own, or what the commands write, is not shown.
_HIDDEN = {"etc", "var", "run", "srv", "tmp", "proc", "dev", "usr"}
_OPEN = ("/etc", "/usr", "/usr/share", "/var", "/var/lib", "/var/log", "/run")
_CUSTOMERS = (
    *("/etc/mysql", "/etc/nginx", "/etc/wordpress", "/etc/letsencrypt", "/usr/share/wordpress", "/srv", "/run/mysqld"),
    *("/var/lib/wordpress", "/var/lib/mysql", "/var/www", "/var/log/nginx", "/var/log/mysql"),
)


def test_the_readme_has_commands_and_all_of_them_are_run_here() -> None:
    flow = [block for block in BLOCKS if not block.startswith("script/")]
    assert [block.strip() for block in BLOCKS if block.startswith("script/")] == list(SCRIPTS)
    assert len(flow) == 6


def test_the_script_of_the_demo_shows_eight_checks() -> None:
    done = subprocess.run(["script/demo"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 of 8 checks passed" in done.stdout


def test_the_script_of_the_tests_runs_these_tests() -> None:
    """It cannot be run from within itself; what it hands to pytest can."""
    done = subprocess.run(["bash", "-n", "script/test"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.access(PROJECT / "script/test", os.X_OK)
    assert "-m pytest" in (PROJECT / "script/test").read_text()


def test_the_commands_for_a_host_work_in_their_order(demo: DemoStack, tmp_path: Path) -> None:
    commands = "".join(block for block in BLOCKS if not block.startswith("script/"))
    (tmp_path / "commands").write_text(f"set -eux -o pipefail\n{commands}")
    (tmp_path / "home").mkdir()
    password = demo.layout.admin_password.read_text()
    (tmp_path / "home/.my.cnf").write_text(f'[client]\nuser=root\npassword="{password}"\n')
    done = subprocess.run(
        [*customers_host(demo, tmp_path), "bash", str(tmp_path / "commands")],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "8 of 8 checks passed" in done.stdout
    assert "HOW TO RESTORE FROM THIS REPOSITORY BY HAND" in done.stdout
    assert list((tmp_path / "scratch/by-hand/data").glob("*/*.ibd"))


def customers_host(demo: DemoStack, directory: Path) -> list[str]:
    """The words that show a program the customer's files at their original paths, and room to write in `directory`."""
    words = ["bwrap", "--die-with-parent", "--tmpfs", "/"]
    if os.geteuid() == 0:
        words += ["--cap-add", "ALL"]
    for directory_of_ours in _OPEN:  # made in passing they would be open to root only
        words += ["--dir", directory_of_ours]
    words += entries(Path("/"), _HIDDEN, how="--bind")
    for device in ("/dev", "/proc", "/tmp"):
        words += ["--dev-bind", device, device]
    for whole, without in (("/usr", {"share"}), ("/usr/share", {"wordpress"}), ("/etc", {"opsctl"})):
        words += entries(Path(whole), without)
    words += ["--dir", "/etc/opsctl"]
    for place in _CUSTOMERS:
        words += ["--bind", str(demo.layout.at(place)), place]
    for name, target in (("backups", "/var/backups"), ("lib", "/var/lib/opsctl"), ("scratch", "/var/tmp")):
        (directory / name).mkdir()
        words += ["--bind", str(directory / name), target]
    path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    return [*words, "--setenv", "HOME", str(directory / "home"), "--setenv", "PATH", path, "--"]


def entries(directory: Path, without: set[str], *, how: str = "--ro-bind") -> Iterator[str]:
    """Each entry of a directory by itself, so that others can be put beside them."""
    for path in sorted(directory.iterdir()):
        if path.name in without or str(path) in _CUSTOMERS:
            continue
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        else:
            yield from (how, str(path), str(path))


def names() -> set[str]:
    """Every command's words: `backup run`."""
    root = typer.main.get_command(app)
    context = typer.Context(root)
    found = set()
    for name in Root.summaries:
        command = root.get_command(context, name)  # type: ignore[attr-defined]
        found.add(name)
        found |= {f"{name} {child}" for child in getattr(command, "commands", ())}
    return found


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`opsctl ([a-z ]+?)[`|]", README))))
def test_commands_in_the_text_exist(command: str) -> None:
    assert command.strip() in names()
