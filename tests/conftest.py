"""What holds for every test, whatever it tests."""

from pathlib import Path

import pytest
from hypothesis import settings

_REAL = tuple(Path(__file__).parent / name for name in ("integration", "hosts"))

# A test's verdict never depends on how busy the machine is; pytest-timeout ends what hangs.
settings.register_profile("opsctl", settings.get_profile("default"), deadline=None)
settings.load_profile("opsctl")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/integration and tests/hosts as `engine`: `-m "not engine"` needs no real server."""
    for item in items:
        if any(item.path.is_relative_to(place) for place in _REAL):
            item.add_marker("engine")
