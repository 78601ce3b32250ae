"""Reaches hosts: the way to each, the agent at its end, and many of them at the same time."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from opsctl.core.errors import LockedError
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.plan import Target
from opsctl.deploy.remote import Agent

AT_ONCE = 32
A = TypeVar("A")
B = TypeVar("B")


def target_of(inventory: Inventory, host: HostSection, user: str | None = None) -> Target:
    """The way to a host, by its operations account unless another is named."""
    return Target(
        host=host.name,
        address=host.address,
        port=host.port,
        host_key=host.host_key,
        key_file=host.key_file,
        timeout_s=host.timeout_s,
        user=user or inventory.access.user,
        confirm_user=inventory.access.user,
    )


def chosen(inventory: Inventory, names: Sequence[str]) -> tuple[HostSection, ...]:
    """The hosts of those names, all of them when none is named. Raises SettingsError."""
    return tuple(inventory.host(name) for name in names) if names else inventory.hosts


@contextlib.contextmanager
def agent_on(target: Target, user: str) -> Iterator[Agent]:
    """The agent of a host, over a connection of its own that ends with the block."""
    from opsctl.core.runner_ssh import SshRunner

    runner = SshRunner(target.account(user))
    try:
        yield Agent(runner, sudo=user != "root")
    finally:
        runner.close()


def when_free(agent: Agent, change: Callable[[], A], wait_s: float) -> A:
    """Change a host as soon as nobody else does. Raises LockedError when that takes longer than `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return change()
        except LockedError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            agent.wait(left)


def at_once(work: Callable[[A], B], on: Sequence[A]) -> list[B]:
    """Do the same on several hosts at the same time: one that does not answer holds up no other."""
    with ThreadPoolExecutor(min(AT_ONCE, len(on))) as pool:
        return list(pool.map(work, on))
