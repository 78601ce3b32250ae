"""What PHP expressions come to, when that can be told without running PHP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opsctl.stack.php import functions, operators
from opsctl.stack.php.functions import as_text, truth
from opsctl.stack.php.state import State, join
from opsctl.stack.php.syntax import (
    ArrayLiteral,
    Assign,
    Binary,
    Call,
    Constant,
    Exit,
    Expression,
    Include,
    Index,
    Literal,
    Other,
    Ternary,
    Text,
    Unary,
    Variable,
)
from opsctl.stack.php.values import Files, Opaque, PhpArray, Setting, Unknown, Value

_SUPERGLOBALS = ("_SERVER", "_ENV", "_GET", "_POST", "_COOKIE", "_REQUEST", "_FILES", "_SESSION", "GLOBALS")


@dataclass
class Session:
    """One reading: the host's files, what `$_SERVER` is known to hold, and how far PHP would have come.

    `touched` are the constants and (with a `$`) variables that were set; `depth` counts files that require files,
    `loops` bodies in bodies that may run any number of times.
    """

    files: Files
    server: Mapping[str, str]
    directory: Path
    state: State = field(default_factory=State)
    ended: bool = False
    depth: int = 0
    loops: int = 0
    touched: set[str] = field(default_factory=set)


class Evaluator:
    """Evaluates the expressions of one file; assignments and definitions in them change the session's state."""

    def __init__(self, session: Session, file: Path, include: Callable[[Include, Value], Value]) -> None:
        self.session = session
        self.file = file
        self.line = 0
        self._kinds: Mapping[type, Callable[[Any], Value]] = {
            Literal: lambda literal: literal.value,
            Text: self._text,
            ArrayLiteral: self._array,
            Variable: self._variable,
            Index: self._variable,
            Constant: lambda constant: self._constant(constant.name),
            Call: self._call,
            Unary: lambda unary: operators.unary(unary.operator, self.value(unary.operand), self.unknown),
            Binary: self._binary,
            Ternary: self._ternary,
            Assign: self._assign,
            Include: lambda inclusion: include(inclusion, self.value(inclusion.path)),
            Exit: self._exit,
            Other: self._other,
        }

    @property
    def state(self) -> State:
        """What is known at this moment."""
        return self.session.state

    def value(self, expression: Expression) -> Value:
        """The value, or an Unknown that says why there is none."""
        return self._kinds[type(expression)](expression)

    def unknown(self, why: str) -> Unknown:
        """An Unknown at the place that is being read."""
        return Unknown(why, self.file, self.line)

    def opaque(self, what: str) -> None:
        """Note that something here is not understood and may set what will be asked for."""
        self.state.opaque.append(Opaque(what, self.file, self.line))

    def either(self, *branches: Callable[[], Value]) -> Value:
        """Go several ways, since it is not known which one PHP goes; a way that ends the program is not gone."""
        before, states, values = self.state, [], []
        for branch in branches:
            self.session.state = before.copy()
            values.append(branch())
            if not self.session.ended:
                states.append(self.session.state)
            self.session.ended = False
        self.session.state = before
        why = "depends on a condition that is not understood"
        if states:
            before.take(join(states, why, self.file, self.line))
        known = values[0]
        same = all(value == known and type(value) is type(known) for value in values)
        return known if same else self.unknown(why)

    def _exit(self, _: Exit) -> Value:
        self.session.ended = True
        return None

    def _text(self, expression: Text) -> Value:
        result = ""
        for part in expression.parts:
            value = self.value(part)
            text = None if isinstance(value, Unknown) else as_text(value)
            if text is None:
                return value if isinstance(value, Unknown) else self.unknown("an array in a string")
            result += text
        return result

    def _array(self, expression: ArrayLiteral) -> Value:
        items: dict[str | int, Setting] = {}
        rest: Unknown | None = None
        for key_expression, value_expression in expression.items:
            key = self._array_key(key_expression, items, rest)
            value = self.value(value_expression)
            if isinstance(key, str | int):
                items[_key(key)] = Setting(value, self.file, self.line)
            else:
                rest = self.unknown("an entry whose key is not known")
        return PhpArray(items, rest)

    def _array_key(self, key: Expression | None, items: Mapping[str | int, Setting], rest: Unknown | None) -> Value:
        if key is not None:
            return self.value(key)
        return _next_key(items) if rest is None else rest

    def _variable(self, expression: Variable | Index) -> Value:
        found = self.look_up(expression)
        return None if found is None else found.value

    def look_up(self, expression: Expression) -> Setting | None:
        """What a variable or an array's entry is set to; None when it is not."""
        if isinstance(expression, Variable):
            if expression.name in _SUPERGLOBALS:
                return self._here(self.unknown(f"what ${expression.name} holds"))
            return self.state.variables.get(expression.name)
        if isinstance(expression, Index):
            key = self.value(expression.key) if expression.key is not None else None
            if expression.base == Variable("_SERVER") and isinstance(key, str) and key in self.session.server:
                return self._here(self.session.server[key])
            return self._entry(self.look_up(expression.base), key)
        return self._here(self.value(expression))

    def _entry(self, base: Setting | None, key: Value) -> Setting | None:
        if base is None or isinstance(base.value, Unknown):
            return base
        if isinstance(base.value, PhpArray) and isinstance(key, str | int):
            return base.value.get(_key(key))
        return self._here(self.unknown("an entry that is not followed"))

    def _here(self, value: Value) -> Setting:
        return Setting(value, self.file, self.line)

    def _constant(self, name: str) -> Value:
        if name in ("__DIR__", "__FILE__"):
            real = self.session.files.real(self.file)
            return str(real.parent if name == "__DIR__" else real)
        if name in ("DIRECTORY_SEPARATOR", "PHP_EOL"):
            return "/" if name == "DIRECTORY_SEPARATOR" else "\n"
        found = self.state.constants.get(name)
        return self.unknown(f"the constant {name}") if found is None else found.value

    def _binary(self, expression: Binary) -> Value:
        operator = expression.operator
        if operator == "??":
            return self._coalesce(expression)
        left = self.value(expression.left)
        if operator not in ("&&", "and", "||", "or"):
            return operators.binary(operator, left, self.value(expression.right), self.unknown)
        decided = truth(left)
        if decided is None:
            right = self.either(lambda: None, lambda: self.value(expression.right))
            return right if isinstance(right, Unknown) else self.unknown("a condition that is not understood")
        if decided is (operator in ("||", "or")):
            return decided
        right = self.value(expression.right)
        return right if isinstance(right, Unknown) else truth(right)

    def _coalesce(self, expression: Binary) -> Value:
        found = self.look_up(expression.left)
        if found is None or found.value is None:
            return self.value(expression.right)
        return found.value

    def _ternary(self, expression: Ternary) -> Value:
        condition = self.value(expression.condition)
        decided = truth(condition)
        then = expression.then

        def first() -> Value:
            return condition if then is None else self.value(then)

        if decided is None:
            return self.either(first, lambda: self.value(expression.otherwise))
        return first() if decided else self.value(expression.otherwise)

    def _assign(self, expression: Assign) -> Value:
        self.line = expression.line
        value = self.value(expression.value)
        self.line = expression.line
        if expression.operator != "=":
            found = self.look_up(expression.target)
            before = None if found is None else found.value
            if expression.operator == "??=":
                value = value if before is None else before
            else:
                value = operators.binary(expression.operator.removesuffix("="), before, value, self.unknown)
        self._store(expression.target, value)
        return value

    def _store(self, target: Variable | Index, value: Value) -> None:
        keys: list[Value] = []
        base: Expression = target
        while isinstance(base, Index):
            keys.insert(0, None if base.key is None else self.value(base.key))
            base = base.base
        if not isinstance(base, Variable):
            self.opaque("sets something that is not followed")
        elif base.name not in _SUPERGLOBALS:
            found = self.state.variables.get(base.name)
            self._set_variable(base.name, self._stored(found, keys, value))

    def _set_variable(self, name: str, setting: Setting) -> None:
        self.session.touched.add(f"${name}")
        self.state.variables[name] = setting

    def _stored(self, found: Setting | None, keys: list[Value], value: Value) -> Setting:
        """The setting that comes of storing `value` under `keys` in `found`; a None key stands for `[]`."""
        if not keys:
            return self._here(value)
        container = found.value if found is not None else None
        items = dict(container.items) if isinstance(container, PhpArray) else {}
        rest = container.rest if isinstance(container, PhpArray) else None
        if isinstance(container, Unknown):
            rest = container
        if keys[0] is None and rest is not None:
            # It goes behind the last number, and which that is, is not known.
            return self._here(PhpArray(items, rest))
        key = _next_key(items) if keys[0] is None else keys[0]
        if not isinstance(key, str | int):
            return self._here(self.unknown("an entry whose key is not known"))
        items[_key(key)] = self._stored(items.get(_key(key)), keys[1:], value)
        return self._here(PhpArray(items, rest))

    def _call(self, expression: Call) -> Value:
        self.line = expression.line
        name = expression.name
        if name in ("isset", "empty") and len(expression.arguments) == 1:
            return self._is_set(expression.arguments[0], empty=name == "empty")
        if name == "unset":
            return self._unset(expression.arguments)
        values = [self.value(argument) for argument in expression.arguments]
        self.line = expression.line
        if name == "define":
            return self._define(values)
        if name in ("defined", "constant") and len(values) == 1 and isinstance(values[0], str):
            return self._is_defined(values[0]) if name == "defined" else self._constant(values[0])
        if functions.is_known(name):
            return self._worked_out(name, values)
        if name in ("extract", "parse_str", "eval"):
            for each in tuple(self.state.variables):
                self._set_variable(each, self._here(self.unknown(f"{name}() may set it")))
        if name not in functions.HARMLESS:
            self.opaque(f"calls {name}(), which is not followed")
        return self.unknown(f"what {name}() returns")

    def _worked_out(self, name: str, values: Sequence[Value]) -> Value:
        known = [value for value in values if not isinstance(value, Unknown)]
        if len(known) < len(values):
            return next(value for value in values if isinstance(value, Unknown))
        try:
            return functions.call(name, known, self.session.files, self.session.directory)
        except ValueError:
            return self.unknown(f"what {name}() returns")

    def _define(self, values: Sequence[Value]) -> Value:
        if len(values) < 2 or not isinstance(values[0], str):
            self.opaque("defines a constant whose name is not understood")
            return True
        self._set_constant(values[0], values[1])
        return True

    def _touch_constant(self, name: str, value: Value) -> None:
        self.session.touched.add(name)
        self.state.constants[name] = self._here(value)

    def _set_constant(self, name: str, value: Value) -> None:
        """Define a constant; PHP keeps the first definition."""
        found = self.state.constants.get(name)
        if found is None:
            self._touch_constant(name, value)
        elif isinstance(found.value, Unknown) and found.value.perhaps_unset:
            self._touch_constant(name, self.unknown("may have been defined before"))

    def _is_defined(self, name: str) -> Value:
        found = self.state.constants.get(name)
        if found is None:
            return self.unknown(f"whether {name} is defined") if self.state.opaque else False
        if isinstance(found.value, Unknown) and found.value.perhaps_unset:
            return found.value
        return True

    def _is_set(self, target: Expression, *, empty: bool) -> Value:
        found = self.look_up(target)
        if found is None:
            return empty
        if isinstance(found.value, Unknown):
            return found.value
        return not truth(found.value) if empty else found.value is not None

    def _unset(self, targets: Sequence[Expression]) -> Value:
        for target in targets:
            base = self.look_up(target.base) if isinstance(target, Index) else None
            if isinstance(target, Variable) or (
                isinstance(target, Index) and base is not None and isinstance(base.value, PhpArray)
            ):
                self._store(target, None)
        return None

    def _other(self, expression: Other) -> Unknown:
        self.line = expression.line
        unknown = self.unknown(expression.what)
        for name in expression.variables:
            self._set_variable(name, self._here(unknown))
        for name in expression.constants:
            self._set_constant(name, unknown)
        self.opaque(expression.what)
        return unknown


def _key(key: str | int) -> str | int:
    """PHP takes a string that is a number for the number, as an array's key."""
    return int(key) if isinstance(key, bool | int) or (key.isdecimal() and str(int(key)) == key) else key


def _next_key(items: Mapping[str | int, Setting]) -> int:
    return max((key for key in items if isinstance(key, int)), default=-1) + 1
