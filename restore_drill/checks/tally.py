"""What a check gathers while it looks, and the result that this comes to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from backup.codec import UnusableIdentityError
from opsctl.core.errors import OpsError
from opsctl.core.process import TimedOutError
from opsctl.core.result import Outcome, Result
from opsctl.core.room import DiskFullError, says_full
from opsctl.core.words import counted

SHOWN = 5
SEE_OTHERS = "look at the other checks: one of them says why"
_COMPARE = "compare it with the host's, then take a new full backup: opsctl backup run"


class Named(Protocol):
    """What a result is named after."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def title(self) -> str:
        """Its title."""
        ...


@dataclass
class Tally:
    """`problems`: what is wrong; `unjudged`: what could not be looked at; both as sentences for a person.

    One problem makes the check fail, whatever else could not be looked at; without any, something that could not be
    looked at makes it "could not run", never a pass.
    """

    expected: str
    problems: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    figures: dict[str, JsonValue] = field(default_factory=dict)
    hint: str | None = None

    def problem(self, text: str, *, hint: str | None = None) -> None:
        """Note what is wrong; the first hint given is the one shown."""
        self.problems.append(text)
        self.hint = self.hint or hint

    def counted(self, figure: str, noun: str) -> str:
        """A figure that is a number (or the length of a list) with its noun."""
        value = self.figures.get(figure, 0)
        return counted(value if isinstance(value, int) else len(value) if isinstance(value, list) else 0, noun)

    def result(self, check: Named, good: str) -> Result:
        """The check's result; `good` is what was found when nothing is wrong."""
        outcome, found, hint = Outcome.PASSED, good, None
        if self.problems:
            outcome, found, hint = Outcome.FAILED, sentence(self.problems), self.hint or _COMPARE
        elif self.unjudged:
            outcome, found, hint = Outcome.COULD_NOT_RUN, sentence(self.unjudged), self.hint or SEE_OTHERS
        return Result(
            id=check.id,
            title=check.title,
            outcome=outcome,
            expected=self.expected,
            found=found,
            figures=self.figures,
            hint=hint,
        )


def sentence(parts: Iterable[str]) -> str:
    """Join sentences; beyond the first few only their number is said."""
    listed = list(parts)
    more = f"; and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return "; ".join(listed[:SHOWN]) + more


def one_line(error: OpsError) -> str:
    """An error's message on one line; what a program said last stands in it."""
    return " ".join(line.strip() for line in error.message.splitlines())


def lacked_means(error: OpsError) -> bool:
    """Whether a step failed for want of space, time or an identity, for which the backup is not to blame."""
    return isinstance(error, DiskFullError | TimedOutError | UnusableIdentityError) or says_full(error.message)
