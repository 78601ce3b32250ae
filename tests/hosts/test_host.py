"""The hosts that the other tests of this directory stand on."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl import __version__
from tests.hosts.host import Host, HostError
from tests.hosts.leftovers import control_groups
from tests.hosts.processes import wait_for_end
from tests.support.debian import Base
from tests.support.packaging import PROJECT


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    """One host, which these tests leave running."""
    return hosts()


def ssh(host: Host, *words: str) -> "subprocess.CompletedProcess[str]":
    options = [f"UserKnownHostsFile={host.known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
    given = [word for option in options for word in ("-o", option)]
    command = ["ssh", "-F", "none", *given, "-i", str(host.identity), f"root@{host.address}", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_everything_that_starts_at_boot_runs(running: Host) -> None:
    assert running.run("systemctl", "is-system-running", check=False).stdout == "running\n"
    for unit in ("nginx", "mariadb", "php8.2-fpm", "ssh", "cron"):
        assert running.run("systemctl", "is-active", unit).stdout == "active\n"


def test_it_is_reached_over_ssh_by_its_own_host_key(running: Host) -> None:
    assert ssh(running, "hostname").stdout == "customer\n"


def test_its_database_listens_to_itself_alone(running: Host) -> None:
    assert "3306" not in running.shell("ss -Hltn | grep -v 127.0.0.1 || :")


def test_it_has_opsctl_for_every_user(running: Host) -> None:
    assert running.run("opsctl", "--version", user="www-data").stdout == f"opsctl {__version__}\n"


def test_an_ordinary_user_gets_a_sandbox_on_it(running: Host) -> None:
    words = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "id", "-un")
    assert running.run(*words, user="www-data").stdout == "www-data\n"


def test_nothing_leads_from_it_into_the_world(running: Host) -> None:
    assert "default" not in running.run("ip", "route").stdout


def test_a_program_that_fails_on_it_is_an_error_with_its_words(running: Host) -> None:
    with pytest.raises(HostError, match="No such file"):
        running.run("ls", "/not-there")


def test_what_is_written_on_it_is_neither_in_its_base_nor_seen_here(running: Host, customer_base: Base) -> None:
    running.write("/etc/was-here", "yes", owner="www-data:www-data", mode=0o640)
    assert running.run("cat", "/etc/was-here", user="www-data").stdout == "yes"
    assert running.read("/etc/was-here") == "yes"
    assert not [layer for layer in customer_base.layers if (layer / "etc/was-here").exists()]
    assert not Path("/etc/was-here").exists()


def test_its_disk_outlives_a_reboot_and_a_power_cut_and_its_database_recovers(host: Host) -> None:
    host.shell("mariadb -e 'CREATE DATABASE shop; CREATE TABLE shop.t (id INT); INSERT INTO shop.t VALUES (7)'")
    boots = [host.read("/proc/sys/kernel/random/boot_id")]

    def look() -> None:
        boots.append(host.read("/proc/sys/kernel/random/boot_id"))
        assert host.shell("mariadb -NBe 'SELECT id FROM shop.t'") == "7\n"

    host.reboot()
    look()
    for switch_off in (host.cut_power, host.power_off):
        switch_off()
        host.boot()
        look()
    assert len(set(boots)) == 4


def test_two_hosts_know_nothing_of_each_other(running: Host, customer_base: Base) -> None:
    other = Host.make(customer_base, "other")
    try:
        other.boot()
        assert other.run("hostname").stdout == "other\n"
        assert other.address != running.address
        assert other.host_key != running.host_key
        assert other.read("/etc/machine-id") != running.read("/etc/machine-id")
    finally:
        other.destroy()
    assert not other.place.exists()
    assert running.run("true").returncode == 0


HOLDER = """
import sys
from pathlib import Path
from tests.hosts.host import Host
from tests.support.debian import Base
host = Host.make(Base(tuple(map(Path, sys.argv[1:]))), "doomed")
host.boot()
print(host.place, flush=True)
sys.stdin.read()
"""


def test_a_host_ends_with_the_process_that_made_it_and_the_next_removes_what_is_left(customer_base: Base) -> None:
    words = [sys.executable, "-c", HOLDER, *map(str, customer_base.layers)]
    with subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        place = Path(holder.stdout.readline().strip())
        groups = control_groups(place.name)
        assert all(group.is_dir() for group in groups)
        processes = [pid for group in groups for pid in everything_in(group)]
        assert processes
        ends = [os.pidfd_open(pid) for pid in processes]
        holder.kill()
    for end in ends:
        wait_for_end(end)
    Host.make(customer_base, "next").destroy()
    assert not place.exists()
    assert not [group for group in groups if group.exists()]


def everything_in(group: Path) -> set[int]:
    return {int(line) for path in group.rglob("cgroup.procs") for line in path.read_text().split() if line != "0"}
