"""What all resources have in common: a name among all, what is looked at, and how a difference is shown."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Found = Mapping[str, Any] | None
"""What the agent found of a resource; None when it is not there."""
Mode = Annotated[str, Field(pattern=r"^[0-7]{4}$")]
Verb = Literal["install", "create", "change", "remove", "run"]
RIGHTS = ("owner", "group", "mode")
AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00\n]*[^/\x00\n]$")]


class Base(BaseModel, ABC):
    """The base of all resources. `guarded`: it could lock everybody out. `then`: actions to run after a change.

    `keep`: it stays when the rest is taken back, since taking it back would do harm. `early`: it is made before files
    are checked, since programs would miss it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: ClassVar[tuple[str, ...]] = ()
    verb: ClassVar[Verb | None] = None

    guarded: bool = False
    keep: bool = False
    early: bool = False
    then: tuple[str, ...] = ()

    @property
    @abstractmethod
    def key(self) -> str:
        """The name of a resource among all: the agent's key for it."""

    @property
    @abstractmethod
    def what(self) -> str:
        """What it is, for a person."""

    @abstractmethod
    def differs(self, found: Found) -> bool:
        """Whether something has to be done about it."""

    def diff(self, found: Found) -> list[str]:
        """The attributes that differ, as lines of a diff."""
        lines = []
        for name in self.facts:
            wanted = getattr(self, name)
            wanted = sorted(wanted) if isinstance(wanted, tuple) else wanted
            if found is None or found.get(name) != wanted:
                lines += [] if found is None else [f"-{name}: {found.get(name)}"]
                lines.append(f"+{name}: {wanted}")
        return lines


class Named(Base):
    """A resource that is known by a name."""

    type: str
    name: str

    @property
    def key(self) -> str:
        """The name of a resource among all: the agent's key for it."""
        return f"{self.type}:{self.name}"

    @property
    def what(self) -> str:
        """What it is, for a person."""
        return f"{self.type} {self.name}"


class Placed(Base):
    """A resource that is known by its path."""

    type: str
    path: AbsolutePath

    @property
    def key(self) -> str:
        """The name of a resource among all: the agent's key for it."""
        return f"{self.type}:{self.path}"

    @property
    def what(self) -> str:
        """What it is, for a person."""
        return self.path
