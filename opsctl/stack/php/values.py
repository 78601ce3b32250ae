"""What reading a PHP configuration comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """The files of the host whose configuration is read; paths are as on the host."""

    def read(self, path: Path) -> str | None:
        """The text of a file; None when there is none that can be read."""
        ...

    def is_file(self, path: Path) -> bool:
        """Whether there is a file, links followed."""
        ...

    def is_dir(self, path: Path) -> bool:
        """Whether there is a directory, links followed."""
        ...

    def real(self, path: Path) -> Path:
        """The path with all links followed, as PHP's `__FILE__` has it."""
        ...


@dataclass(frozen=True)
class Unknown:
    """A value that only PHP itself could tell: where it comes from and why it is not known. Quotes no source.

    `perhaps_unset`: it may be that nothing is set at all.
    """

    why: str
    file: Path
    line: int
    perhaps_unset: bool = False

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.why}"


@dataclass(frozen=True)
class PhpArray:
    """A PHP array, each entry with where it is set. `rest` is there when it may hold more than is known."""

    items: "Mapping[str | int, Setting]" = field(repr=False)
    rest: "Unknown | None" = None

    def get(self, key: str | int) -> "Setting | None":
        """The entry of that key; what may be there is an Unknown."""
        found = self.items.get(key)
        if found is None and self.rest is not None:
            return Setting(self.rest, self.rest.file, self.rest.line)
        return found


Value = str | int | float | bool | None | PhpArray | Unknown


@dataclass(frozen=True)
class Setting:
    """A value, which may be a secret and is not shown, and where it is set."""

    value: Value = field(repr=False)
    file: Path
    line: int


@dataclass(frozen=True)
class Opaque:
    """A place that is not understood, and may set things that are asked for in vain."""

    what: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.what}"


@dataclass(frozen=True)
class PhpConfig:
    """What a configuration file, and those it requires, set. `files` are the files read, in order, links followed.

    `classes` has the values with which the properties of classes begin, as `Name.property`.
    """

    constants: Mapping[str, Setting]
    variables: Mapping[str, Setting]
    classes: Mapping[str, Setting]
    files: tuple[Path, ...]
    opaque: tuple[Opaque, ...]

    def constant(self, name: str) -> Setting | None:
        """The constant of that name."""
        return self.constants.get(name)

    def text(self, name: str) -> str | None:
        """The constant of that name, if it is known and a string."""
        found = self.constants.get(name)
        return found.value if found is not None and isinstance(found.value, str) else None

    def entry(self, variable: str, *keys: str) -> Setting | None:
        """`$variable[key][key]…` with where it is set; None when it is not. An Unknown on the way is what it is."""
        found = self.variables.get(variable)
        for key in keys:
            if found is None or isinstance(found.value, Unknown):
                return found
            found = found.value.get(key) if isinstance(found.value, PhpArray) else None
        return found
