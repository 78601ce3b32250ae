"""Hosts as fixtures, and opsctl installed on them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hosts.bases import bare_base, opsctl_base
from tests.hosts.host import Host
from tests.support.debian import Base
from tests.support.packaging import build_wheel

_HERE = Path(__file__).parent
# The first time, the base is made: minutes, of which most is unpacking packages.
_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first may have to make the base."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.fixture(scope="session")
def customer_base() -> Base:
    """What every host stands on."""
    return opsctl_base()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """opsctl's wheel, of this working copy."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def hosts(customer_base: Base, wheel: Path) -> Iterator[Callable[..., Host]]:
    """Makes running hosts that have opsctl, `hosts(name)`; they are gone at the end of the module."""
    made: list[Host] = []

    def make(name: str = "customer") -> Host:
        host = Host.make(customer_base, name)
        made.append(host)
        host.boot()
        install(host, wheel)
        return host

    yield make
    for host in made:
        host.destroy()


@pytest.fixture(scope="module")
def bare_hosts() -> Iterator[Callable[..., Host]]:
    """Makes running hosts as a provider hands them over, `bare_hosts(name)`; gone at the end of the module."""
    made: list[Host] = []

    def make(name: str = "bare") -> Host:
        host = Host.make(bare_base(), name)
        made.append(host)
        host.boot()
        return host

    yield make
    for host in made:
        host.destroy()


@pytest.fixture
def host(customer_base: Base, wheel: Path) -> Iterator[Host]:
    """A running host that has opsctl, for one test."""
    made = Host.make(customer_base)
    try:
        made.boot()
        install(made, wheel)
        yield made
    finally:
        made.destroy()


def install(host: Host, wheel: Path) -> None:
    """Install opsctl from its wheel; what it depends on is there already."""
    host.write(f"/root/{wheel.name}", wheel.read_bytes())
    host.shell(
        "/opt/opsctl/bin/pip --quiet --disable-pip-version-check install --no-index --no-deps /root/*.whl;"
        "ln -sf /opt/opsctl/bin/opsctl /usr/local/bin/opsctl; rm /root/*.whl"
    )
