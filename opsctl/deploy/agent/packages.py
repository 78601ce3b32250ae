"""Installs Debian's packages: all that are missing in one call, without a question and without starting their services.

A service that a plan has a unit for starts when the plan comes to it, with its files in place: Debian would start it
with settings of its own, a welcome page for everybody. Nor does it start at a boot that comes in between.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from . import host
from .journal import Journal
from .observe import Resource, key_of, observe

POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by Debian's scripts before they start a service: exit status 101 forbids it (deb-systemd-invoke(1p))."""
UPDATE_TIMEOUT_S = 300
INSTALL_TIMEOUT_S = 1800
LOCK_TIMEOUT_S = 600
POLL_S = 2
_OPTIONS = (
    "-q", "-y", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT_S}", "-o", "Dpkg::Options::=--force-confdef",
    "-o", "Dpkg::Options::=--force-confold", "-o", "Acquire::Retries=3",
)  # fmt: skip


def install(packages: list[Resource], units: list[Resource], journal: Journal) -> None:
    """Install packages, of Debian's newest lists; `units` are those that the plan itself starts. Raises AgentError.

    They stay when the rest is taken back, but for what forbade the services to start.
    """
    if not packages:
        return
    for package in packages:
        journal.note({"undo": {"kind": "nothing"}, "key": key_of(package)})
    before = observe(units)
    _apt("update", timeout_s=UPDATE_TIMEOUT_S)
    with _held([unit["name"] for unit in units], journal):
        names = [package["name"] for package in packages]
        _apt("install", "--no-install-recommends", *names, timeout_s=INSTALL_TIMEOUT_S)
        after = observe(units)
        for unit in units:
            state = after[key_of(unit)]
            if before[key_of(unit)] is None and state is not None and state["enabled"]:
                host.run("systemctl", "disable", unit["name"])


@contextlib.contextmanager
def _held(units: list[str], journal: Journal) -> Iterator[None]:
    """Let nothing start these units; a host that has a policy of its own keeps it."""
    if POLICY.exists() or not units:
        yield
        return
    names = [word for unit in units for word in (unit, unit.removesuffix(".service"))]
    script = (
        f'#!/bin/sh\n# Written by opsctl deploy, gone when it ends.\ncase "$1" in {"|".join(names)}) exit 101 ;; esac\n'
    )
    journal.note({"undo": {"kind": "path", "path": str(POLICY), "state": None, "old": None}})
    host.write(POLICY, script.encode(), mode=0o755, owner="root", group="root")
    try:
        yield
    finally:
        POLICY.unlink()


def _apt(*words: str, timeout_s: float) -> None:
    """Run apt-get; wait for whoever else installs something, and finish first what somebody left half installed."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            host.run("apt-get", *_OPTIONS, *words, timeout_s=timeout_s)
            return
        except host.AgentError as error:
            # apt waits by itself for dpkg's lock, but not for that of the lists.
            locked = "Could not get lock" in str(error)
            broken = "dpkg --configure -a" in str(error)
            if (not locked and not broken) or time.monotonic() > deadline:
                raise
        if broken:
            host.run("dpkg", "--configure", "-a", "--force-confold", timeout_s=INSTALL_TIMEOUT_S)
        else:
            time.sleep(POLL_S)
