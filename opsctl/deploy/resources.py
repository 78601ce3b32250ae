"""What shall be on a host, one resource each; all of them together, in order, are a host's desired state.

The agent (agent/act.py) knows the same types. A resource is compared with what the agent found (`differs`), and shown
to a person as the change that it takes (plan.py).
"""

import base64
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import OpsError
from opsctl.deploy.resource import RIGHTS, AbsolutePath, Found, Mode, Named, Placed, Verb


class Package(Named):
    """A Debian package, in whatever version the release has."""

    verb: ClassVar[Verb | None] = "install"

    type: Literal["package"] = "package"

    def differs(self, found: Found) -> bool:
        """Whether it has to be installed."""
        return found is None


class User(Named):
    """An account; its own group has its name. `groups` are those besides."""

    facts: ClassVar[tuple[str, ...]] = ("home", "shell", "groups")

    type: Literal["user"] = "user"
    home: AbsolutePath
    shell: AbsolutePath = "/usr/sbin/nologin"
    groups: tuple[str, ...] = ()
    system: bool = True
    create_home: bool = False

    def differs(self, found: Found) -> bool:
        """Whether it is another one."""
        wanted = (self.home, self.shell, sorted(self.groups))
        return found is None or (found["home"], found["shell"], found["groups"]) != wanted


class Directory(Placed):
    """A directory."""

    facts: ClassVar[tuple[str, ...]] = RIGHTS

    type: Literal["directory"] = "directory"
    owner: str = "root"
    group: str = "root"
    mode: Mode = "0755"

    def differs(self, found: Found) -> bool:
        """Whether it is no such directory."""
        return found is None or _rights(found) != ("directory", self.owner, self.group, self.mode)


class File(Placed):
    """A file with its whole content (base64). A `secret` one is never sent back or shown.

    In plans that are kept, a secret one is `sealed`: only the SHA-256 of its content is there.
    """

    facts: ClassVar[tuple[str, ...]] = RIGHTS

    type: Literal["file"] = "file"
    content: str | None
    sha256: str | None = None
    owner: str = "root"
    group: str = "root"
    mode: Mode = "0644"
    secret: bool = False

    @property
    def data(self) -> bytes:
        """The content. Raises OpsError when it is sealed."""
        if self.content is None:
            raise OpsError("the content of a secret is not in the plan", where=self.path)
        return base64.b64decode(self.content)

    @property
    def digest(self) -> str:
        """The SHA-256 of the content."""
        return self.sha256 or sha256_hex(self.data)

    def sealed(self) -> "File":
        """The same without the content, when that is secret."""
        return self.model_copy(update={"content": None, "sha256": self.digest}) if self.secret else self

    def differs(self, found: Found) -> bool:
        """Whether it has other content, or belongs to others."""
        if found is None or _rights(found) != ("file", self.owner, self.group, self.mode):
            return True
        return bool(found["sha256"] != self.digest)

    def diff(self, found: Found) -> list[str]:
        """Rights and lines that differ; of a secret one only that it does."""
        rights = [] if found is None else super().diff(found)
        if found is not None and found.get("sha256") == self.digest:
            return rights
        if self.secret:
            return [*rights, *(["+(secret)"] if found is None else ["-(secret)", "+(another secret)"])]
        before = base64.b64decode(found.get("content") or "") if found is not None else b""
        try:
            old, new = before.decode().splitlines(), self.data.decode().splitlines()
        except UnicodeDecodeError:
            return [*rights, f"+({len(self.data)} bytes)"]
        return [*rights, *list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]]


class Link(Placed):
    """A symbolic link."""

    facts: ClassVar[tuple[str, ...]] = ("target",)

    type: Literal["link"] = "link"
    target: str

    def differs(self, found: Found) -> bool:
        """Whether it leads elsewhere."""
        return found is None or found["kind"] != "link" or found["target"] != self.target


class Absent(Placed):
    """A file or link that must not be there, such as Debian's default site; `package` is the one that brings it."""

    verb: ClassVar[Verb | None] = "remove"

    type: Literal["absent"] = "absent"
    package: str | None = None

    def differs(self, found: Found) -> bool:
        """Whether there is something."""
        return found is not None


class Unit(Named):
    """A systemd unit: whether it starts at boot, and runs now, unless a condition of its own holds it back."""

    facts: ClassVar[tuple[str, ...]] = ("enabled", "active")

    type: Literal["unit"] = "unit"
    enabled: bool = True
    active: bool = True

    def differs(self, found: Found) -> bool:
        """Whether it is in another state."""
        if found is None or found["enabled"] != self.enabled:
            return True
        return bool(found["active"] != self.active) and not (self.active and found["held"])


class Script(Named):
    """What no file says, such as a database account: `look` prints what there is, `do` brings it to `wanted`.

    All three are scripts of sh; none may hold a secret. `shown` says to a person what `do` does.

    `later`: it is run once all else has proved to work, and takes others than this host to agree, such as an authority.
    Where they do not, that is told and takes nothing back.
    """

    verb: ClassVar[Verb | None] = "run"

    type: Literal["script"] = "script"
    look: str
    wanted: str
    do: str
    undo: str
    shown: str
    later: bool = False

    @property
    def what(self) -> str:
        """What it does."""
        return self.shown

    def differs(self, found: Found) -> bool:
        """Whether it is in another state."""
        return found is None or found["found"] != self.wanted


class Wheel(BaseModel):
    """One wheel: its file name, which says what it is, and the SHA-256 of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+!-]*\.whl$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Program(Named):
    """A program in Python, in an environment of its own made of `wheels` and nothing else.

    The wheels lie in `source` on this machine; the host is sent those that it lacks. `version` is a name for all of
    them together. The host's side is agent/program.py.
    """

    type: Literal["program"] = "program"
    source: Path
    version: str = Field(pattern=r"^[0-9a-f]{16}$")
    wheels: tuple[Wheel, ...] = Field(min_length=1)

    def differs(self, found: Found) -> bool:
        """Whether another version is in use, or none that is whole."""
        wanted = (self.version, f"/opt/{self.name}/current/bin/{self.name}", True)
        return found is None or (found["current"], found["link"], found["whole"]) != wanted

    def diff(self, found: Found) -> list[str]:
        """The version in use before, by its name, and what the new one is made of."""
        own = [wheel.file for wheel in self.wheels if wheel.file.startswith(f"{self.name}-")]
        before = [f"-version: {found['current']}"] if found is not None and found["current"] else []
        return [*before, f"+version: {self.version} ({', '.join(own)} and {len(self.wheels) - len(own)} other wheels)"]


Resource = Annotated[
    Package | User | Directory | File | Link | Absent | Unit | Script | Program, Field(discriminator="type")
]


class Action(BaseModel):
    """What is run once after changes that name it, such as a reload."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    argv: tuple[str, ...]


class Check(BaseModel):
    """A program that judges the staged files before they are in place, if one below `concerns` changes.

    It refuses by its exit status or, where that is not to be trusted, by a line that matches `fatal`. The word {files}
    of `argv` stands for the changed files below `concerns`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    argv: tuple[str, ...]
    concerns: tuple[str, ...]
    fatal: str | None = None


class Desired(BaseModel):
    """All that shall be on a host, in the order in which it is made; and what proves afterwards that it works."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resources: tuple[Resource, ...]
    actions: tuple[Action, ...] = ()
    checks: tuple[Check, ...] = ()
    health: tuple[tuple[str, ...], ...] = ()


def file(path: str, data: bytes, **more: Any) -> File:
    """A file with this content."""
    return File(path=path, content=base64.b64encode(data).decode(), **more)


def _rights(found: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(found.get(name)) for name in ("kind", "owner", "group", "mode"))
