"""Restored customers: one to break piece by piece, and one whose repository is drilled as a whole."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.overview.demo.stack import DemoStack
from tests.support.drilled import Customer, make_customer
from tests.support.restored import Fixture, restored_demo


@pytest.fixture(scope="session")
def demo(stopped_demo: DemoStack) -> Iterator[Fixture]:
    """Files restored, scratch server running, the customer gone."""
    with restored_demo(stopped_demo) as fixture:
        yield fixture


@pytest.fixture(scope="session")
def vanished(stopped_demo: DemoStack) -> Iterator[Customer]:
    """A customer with a backup and three shipments after it, whose host is gone."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)
        stack = stopped_demo.copy_to(directory / "c")
        stack.start()
        try:
            customer = make_customer(stack, directory / "o")
            customer.backup()
            for _ in range(3):
                stack.write_more(3)
                customer.ship()
            customer.vanish()
        finally:
            stack.kill()
        yield customer


@pytest.fixture
def customer(vanished: Customer, tmp_path: Path) -> Customer:
    """The same with a copy of the repository, and a drill host that remembers nothing."""
    repository = vanished.repository
    shutil.copytree(repository, tmp_path / "repository")
    return vanished.in_repository(tmp_path)
