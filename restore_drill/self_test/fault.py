"""A fault: what is done to a copy of the repository, and the check that has to see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from opsctl.core.errors import OpsError
from restore_drill.self_test.bench import Bench

Family = Literal["at rest", "content", "hostile"]

# The id of the evidence that hostile faults are expected to give.
SANDBOX = "sandbox"


class InapplicableError(OpsError):
    """The stack, or what was shipped of it, has nothing that the fault could be made in."""


@dataclass(frozen=True)
class Fault:
    """`make` changes the copy on its bench; `expected` is the id of the one check that must fail then.

    *At rest*: published bytes are altered. *Content*: the fault was there before sealing, and hashes and signatures
    hold. *Hostile*: nothing is damaged; what was restored tries to break out. `title` ends the sentence "what if …".
    """

    id: str
    family: Family
    title: str
    expected: str
    make: Callable[[Bench], None]
