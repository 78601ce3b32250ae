"""What PHP would know at one moment: constants and variables, and how two possible moments are joined."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from opsctl.stack.php.values import Opaque, PhpArray, Setting, Unknown, Value


@dataclass
class State:
    """Constants, variables and beginnings of properties so far. Values never change, only what names mean."""

    constants: dict[str, Setting] = field(default_factory=dict)
    variables: dict[str, Setting] = field(default_factory=dict)
    classes: dict[str, Setting] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    opaque: list[Opaque] = field(default_factory=list)

    def forget(self, names: Iterable[str], unknown: Unknown) -> None:
        """Let these constants and (with a `$`) variables have no known value, perhaps none at all if they had none."""
        for name in names:
            known = self.variables if name.startswith("$") else self.constants
            found = known.get(name.removeprefix("$"))
            unset = found is None or _perhaps_unset(found)
            known[name.removeprefix("$")] = Setting(replace(unknown, perhaps_unset=unset), unknown.file, unknown.line)

    def copy(self) -> "State":
        """A state that goes its own way."""
        return State(
            dict(self.constants),
            dict(self.variables),
            dict(self.classes),
            list(self.files),
            list(self.opaque),
        )

    def take(self, other: "State") -> None:
        """Become what `other` is."""
        self.constants, self.variables, self.classes = other.constants, other.variables, other.classes
        self.files, self.opaque = other.files, other.opaque

    def hear(self, other: "State") -> None:
        """Take over which files were read and what was not understood on a way that may have been gone."""
        self.files += [each for each in other.files if each not in self.files]
        self.opaque += [each for each in other.opaque if each not in self.opaque]


def join(states: Iterable[State], why: str, file: Path, line: int) -> State:
    """What is known when any of `states`, at least one, may be the case: what they agree on; the rest is unknown."""
    first, *others = states
    joined = first.copy()
    unknown = Unknown(why, file, line)
    for other in others:
        joined.constants = _join(joined.constants, other.constants, unknown)
        joined.variables = _join(joined.variables, other.variables, unknown)
        joined.classes = _join(joined.classes, other.classes, unknown)
        joined.hear(other)
    return joined


def _join(left: dict[str, Setting], right: dict[str, Setting], unknown: Unknown) -> dict[str, Setting]:
    return {name: _both(left.get(name), right.get(name), unknown) for name in {**left, **right}}


def _both(left: Setting | None, right: Setting | None, unknown: Unknown) -> Setting:
    if left is not None and right is not None:
        if left.value == right.value and type(left.value) is type(right.value):
            return left
        if isinstance(left.value, PhpArray) and isinstance(right.value, PhpArray):
            return replace(right, value=_join_arrays(left.value, right.value, unknown))
    there = right if right is not None else left
    if there is None:
        raise ValueError("a name that neither state has")
    either = left is None or right is None or _perhaps_unset(left) or _perhaps_unset(right)
    return Setting(replace(unknown, perhaps_unset=either), there.file, there.line)


def _perhaps_unset(setting: Setting) -> bool:
    return isinstance(setting.value, Unknown) and setting.value.perhaps_unset


def _join_arrays(left: PhpArray, right: PhpArray, unknown: Unknown) -> Value:
    items = {key: _both(left.items.get(key), right.items.get(key), unknown) for key in {**left.items, **right.items}}
    return PhpArray(items, left.rest or right.rest)
