"""The parts of a PHP file that configuration is made of."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Literal:
    """A value that stands there as it is. It may be a secret."""

    value: str | int | float | bool | None = field(repr=False)


@dataclass(frozen=True)
class Text:
    """A string with places for values: literals, variables and what is not understood."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True)
class ArrayLiteral:
    """`[key => value, …]`; no key where PHP counts."""

    items: "tuple[tuple[Expression | None, Expression], ...]"


@dataclass(frozen=True)
class Variable:
    """`$name`, without the `$`."""

    name: str


@dataclass(frozen=True)
class Index:
    """`base[key]`; no key in `base[] = …`."""

    base: "Expression"
    key: "Expression | None"


@dataclass(frozen=True)
class Constant:
    """The name of a constant, such as `ABSPATH` or `__DIR__`."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function or static method called by its name."""

    name: str
    arguments: "tuple[Expression, ...]"
    line: int


@dataclass(frozen=True)
class Unary:
    """`!`, `-`, `+`, `@` or a cast such as `(string)`."""

    operator: str
    operand: "Expression"


@dataclass(frozen=True)
class Binary:
    """Two operands and what stands between them."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True)
class Ternary:
    """`condition ? then : otherwise`; no `then` in `condition ?: otherwise`."""

    condition: "Expression"
    then: "Expression | None"
    otherwise: "Expression"


@dataclass(frozen=True)
class Assign:
    """`target = value`, or with `.=`, `??=` and their kind."""

    target: "Variable | Index"
    operator: str
    value: "Expression"
    line: int


@dataclass(frozen=True)
class Include:
    """`require`, `include` and their `_once` forms."""

    path: "Expression"
    once: bool
    required: bool
    line: int


@dataclass(frozen=True)
class Exit:
    """`exit` or `die`."""


@dataclass(frozen=True)
class Other:
    """What is not understood: in a word what it is, and the variables and constants it may set."""

    what: str
    line: int
    variables: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()


Expression = (
    Literal
    | Text
    | ArrayLiteral
    | Variable
    | Index
    | Constant
    | Call
    | Unary
    | Binary
    | Ternary
    | Assign
    | Include
    | Exit
    | Other
)


@dataclass(frozen=True)
class Run:
    """An expression as a statement."""

    expression: Expression
    line: int


@dataclass(frozen=True)
class If:
    """`if` with its branches; `elseif` is an `If` in `otherwise`."""

    condition: Expression
    then: "tuple[Statement, ...]"
    otherwise: "tuple[Statement, ...]"
    line: int


@dataclass(frozen=True)
class Perhaps:
    """Bodies of which any may run, of a loop, `switch` or `try`, and the variables its head sets."""

    what: str
    bodies: "tuple[tuple[Statement, ...], ...]"
    variables: frozenset[str]
    line: int


@dataclass(frozen=True)
class Return:
    """The end of this file, with what it gives to the one that included it."""

    value: Expression | None
    line: int


@dataclass(frozen=True)
class ClassBody:
    """A class, by the values its properties and constants begin with."""

    name: str
    properties: tuple[tuple[str, Expression, int], ...]


Statement = Run | If | Perhaps | Return | ClassBody
