"""A bare host becomes a whole stack, from its inventory and a key of root's."""

from collections.abc import Callable

import pytest

from tests.hosts.host import Host


@pytest.fixture(scope="module")
def bare(bare_hosts: Callable[..., Host]) -> Host:
    return bare_hosts()


def test_a_bare_host_has_none_of_what_a_deployment_brings(bare: Host) -> None:
    assert bare.run("systemctl", "is-system-running", check=False).stdout == "running\n"
    for program in ("nginx", "mariadbd", "php", "sudo", "nft", "curl", "cron"):
        assert bare.run("which", program, check=False).returncode == 1
    bare.shell("apt-get -qq update && apt-get -q install --yes --no-install-recommends logrotate")
    assert bare.run("logrotate", "--version").returncode == 0
