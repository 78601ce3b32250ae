"""The throwaway customer as a fixture: built once a session, copied for each test that changes it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.overview.demo import size
from opsctl.overview.demo.stack import DemoStack


@pytest.fixture(scope="session")
def stopped_demo() -> Iterator[DemoStack]:
    """A small customer, its database shut down; never start or change it, copy it."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o711)
        stack = DemoStack.create(Path(directory) / "c", size=size.SMALL, progress=lambda step: None)
        stack.stop()
        yield stack
        stack.remove()


@pytest.fixture
def demo(stopped_demo: DemoStack) -> Iterator[DemoStack]:
    """A running customer of the test's own."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o711)
        copy = stopped_demo.copy_to(Path(directory) / "c")
        copy.start()
        yield copy
        copy.remove()
