"""PHP's operators, for the values where their result is plain."""

from collections.abc import Callable
from typing import TypeGuard

from opsctl.stack.php.functions import Known, as_text, looks_numeric, truth
from opsctl.stack.php.values import PhpArray, Unknown, Value

_NOT = {"!=": "==", "<>": "==", "!==": "==="}


def unary(operator: str, value: Value, unknown: Callable[[str], Unknown]) -> Value:
    """The result of `!`, `+`, `-` or a cast."""
    if isinstance(value, Unknown):
        return value
    if operator in ("!", "(bool)", "(boolean)"):
        decided = truth(value)
        if decided is None:
            return unknown("a condition that is not understood")
        return decided is not (operator == "!")
    if operator == "(string)":
        text = as_text(value)
        return unknown("an array as a string") if text is None else text
    if _is_integer(value) and operator in ("+", "-", "(int)", "(integer)"):
        return -value if operator == "-" else value
    return unknown(f"what {operator} makes of a value")


def binary(operator: str, left: Value, right: Value, unknown: Callable[[str], Unknown]) -> Value:
    """The result of an operator that needs both its sides."""
    if isinstance(left, Unknown):
        return left
    if isinstance(right, Unknown):
        return right
    if operator == ".":
        texts = as_text(left), as_text(right)
        return unknown("an array in a string") if texts[0] is None or texts[1] is None else texts[0] + texts[1]
    if operator in ("==", "===", *_NOT):
        equal = _equal(_NOT.get(operator, operator), left, right)
        return unknown("a comparison") if equal is None else equal is not (operator in _NOT)
    if _is_integer(left) and _is_integer(right):
        return _of_integers(operator, left, right, unknown)
    return unknown(f"what '{operator}' makes of its sides")


def _is_integer(value: Known) -> TypeGuard[int]:
    """Whether PHP has it for an integer; Python's True and False are integers too."""
    return type(value) is int


def _equal(operator: str, left: Known, right: Known) -> bool | None:
    """Whether two values are equal (`==`) or the same (`===`); None where PHP's rules are not followed."""
    if isinstance(left, PhpArray) or isinstance(right, PhpArray):
        return None
    if type(left) is type(right):
        if left == right or operator == "===":
            return left == right
        # Strings that look like numbers are equal as numbers.
        return None if isinstance(left, str) and looks_numeric(left) and looks_numeric(str(right)) else False
    if operator == "===":
        return False
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        texts = [each for each in (left, right) if isinstance(each, str)]
        # PHP takes null for the empty string beside a string, and for false beside anything else.
        return texts == [""] if texts and None in (left, right) else truth(left) == truth(right)
    return None


def _of_integers(operator: str, left: int, right: int, unknown: Callable[[str], Unknown]) -> Value:
    results: dict[str, Callable[[], Value]] = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "<": lambda: left < right,
        "<=": lambda: left <= right,
        ">": lambda: left > right,
        ">=": lambda: left >= right,
    }
    return results[operator]() if operator in results else unknown(f"what '{operator}' makes of its sides")
