"""Probes: read-only looks at a host."""

from typing import Protocol

from opsctl.core.result import Result
from opsctl.core.runner import Runner


class Probe(Protocol):
    """One look at one thing. It changes nothing, and raises nothing but defects: what keeps it from looking is the
    result `could_not_run`."""

    @property
    def id(self) -> str:
        """The probe's name, the same in every release: `server.log_bin`."""
        ...

    @property
    def needs_root(self) -> bool:
        """Whether an ordinary user cannot look."""
        ...

    def run(self, host: Runner) -> Result:
        """Look."""
        ...
