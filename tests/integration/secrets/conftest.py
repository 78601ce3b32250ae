"""Everything that is run, once for all tests of what it said."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.overview.demo.stack import DemoStack
from opsctl.overview.demo_run import remove_demo
from tests.integration.secrets.secret_host import SecretHost
from tests.integration.secrets.story import Story


@pytest.fixture(scope="package")
def story(stopped_demo: DemoStack) -> Iterator[Story]:
    """Every command, run with success and with failure."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)
        stack = stopped_demo.copy_to(directory / "c")
        stack.start()
        told = Story(SecretHost(directory, stack))
        try:
            told.tell()
            yield told
        finally:
            if (directory / "demo/customer").exists():
                remove_demo(directory / "demo")
            stack.remove()
