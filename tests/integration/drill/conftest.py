"""One restored customer for all tests of this directory that break something and put it back."""

from collections.abc import Iterator

import pytest

from tests.support.restored import Fixture, restored_demo


@pytest.fixture(scope="session")
def demo() -> Iterator[Fixture]:
    """Files restored, scratch server running, the customer gone."""
    with restored_demo() as fixture:
        yield fixture
