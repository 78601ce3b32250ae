"""How long work tells a person where it stands; the domain calls this, only the command line draws it."""

from typing import Protocol


class Progress(Protocol):
    """Receives the steps of a long task."""

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        """Begin the next step; a step before it is done. `total_bytes` is a guess, if there is one."""
        ...

    def advance(self, count: int) -> None:
        """Count bytes done in the current step; called from any thread."""
        ...

    def note(self, text: str) -> None:
        """Say one line that stays on the screen."""
        ...


class Silent:
    """Progress for cron, tests and pipes: says nothing."""

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        """Say nothing."""

    def advance(self, count: int) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""
