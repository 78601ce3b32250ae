"""A probe made of a function: the function looks, this class names, times and explains."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from opsctl.core.errors import OpsError
from opsctl.core.result import Outcome, Result
from opsctl.core.runner import Runner


@dataclass(frozen=True)
class Seen:
    """What a look came to: a sentence, what to do if it is not good, the figures behind it."""

    outcome: Outcome
    found: str
    hint: str | None = None
    figures: dict[str, JsonValue] | None = None


def good(found: str, **figures: JsonValue) -> Seen:
    """All is as it should be."""
    return Seen(Outcome.PASSED, found, None, figures)


def bad(found: str, hint: str, **figures: JsonValue) -> Seen:
    """It is not; `hint` is the next thing to type."""
    return Seen(Outcome.FAILED, found, hint, figures)


def unknown(found: str, hint: str) -> Seen:
    """It could not be looked at."""
    return Seen(Outcome.COULD_NOT_RUN, found, hint)


@dataclass(frozen=True)
class Look:
    """One probe. `failing` are the errors that mean "no", all others mean "could not look"."""

    id: str
    title: str
    expected: str
    look: Callable[[Runner], Seen]
    needs_root: bool = False
    failing: tuple[type[OpsError], ...] = ()

    def run(self, host: Runner) -> Result:
        """Look."""
        started = time.monotonic()
        try:
            seen = self.look(host)
        except OpsError as error:
            outcome = Outcome.FAILED if isinstance(error, self.failing) else Outcome.COULD_NOT_RUN
            seen = Seen(outcome, str(error), error.hint or "run it again with --debug")
        except OSError as error:
            why = f"{error.filename or 'a file'}: {error.strerror}"
            seen = unknown(
                why, "run it again as root, by sudo" if isinstance(error, PermissionError) else "look at the path"
            )
        return Result(
            id=self.id,
            title=self.title,
            outcome=seen.outcome,
            expected=self.expected,
            found=seen.found,
            figures=seen.figures or {},
            hint=seen.hint,
            duration_s=time.monotonic() - started,
        )
