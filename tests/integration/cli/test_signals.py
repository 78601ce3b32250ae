"""A command that is told to end, ends: with its exit code, and with nothing left behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.overview.demo.stack import DemoStack
from tests.integration.cli.conftest import Machine


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_drill_that_is_told_to_end_leaves_nothing(
    demo: DemoStack, customer: Machine, number: signal.Signals, code: int
) -> None:
    assert customer.opsctl("backup", "run")[0] == 0
    scratch = customer.directory / "scratch"
    scratch.mkdir()
    text = customer.config.read_text()
    customer.config.write_text(text.replace(f'scratch_dir = "{customer.directory}"', f'scratch_dir = "{scratch}"'))
    with subprocess.Popen(
        [sys.executable, "-m", "opsctl", "drill", "run", "--config", str(customer.config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        wait_for_content(scratch, child)
        child.send_signal(number)
        out, err = child.communicate()
    assert child.returncode == code, err
    assert out == ""
    assert "everything begun was cleaned up" in err
    assert list(scratch.iterdir()) == []


def wait_for_content(directory: Path, child: "subprocess.Popen[str]") -> None:
    """Return once the child has put something into the directory."""
    while not any(directory.iterdir()):
        assert child.poll() is None, "it ended before it began"
