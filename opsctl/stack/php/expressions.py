"""Parses PHP's expressions, as far as configuration files use them; what it does not know becomes an `Other`.

Precedence: https://www.php.net/manual/en/language.operators.precedence.php
"""

import re

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
from opsctl.stack.php.tokens import Kind, PhpSyntaxError, Token

_BINARY = {
    **{"or": 1, "xor": 2, "and": 3, "??": 7, "||": 8, "&&": 9},
    **dict.fromkeys(("==", "!=", "<>", "===", "!==", "<=>"), 10),
    **dict.fromkeys(("<", "<=", ">", ">="), 11),
    **{".": 12, "+": 14, "-": 14, "*": 15, "/": 15, "%": 15},
}
ASSIGNMENTS = ("=", ".=", "??=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "**=", "<<=", ">>=")
_TERNARY = 6
_ASSIGNED = 5
_UNARY = 16
_CASTS = ("string", "int", "integer", "bool", "boolean", "float", "double", "array", "object")
_INCLUDES = ("require", "require_once", "include", "include_once")
_BEYOND = ("new", "clone", "function", "fn", "static", "match", "yield", "throw", "list", "print")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class ExpressionParser:
    """Walks over the tokens of a file."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.at = 0

    @property
    def here(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.at]

    def word(self) -> str:
        """The next token as a word: an operator, or a name in small letters; empty for anything else."""
        token = self.here
        return token.text.lower() if token.kind in (Kind.NAME, Kind.OPERATOR) else ""

    def take(self, *words: str) -> bool:
        """Pass over the next token if it is one of `words`; return whether it was."""
        if self.word() in words and self.word():
            self.at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        """Pass over `word`. Raises PhpSyntaxError when something else is there."""
        if not self.take(word):
            raise PhpSyntaxError(f"there is no '{word}' where one is needed", self.here.line)

    def skip_balanced(self) -> None:
        """Pass over a bracket and all in it, up to the one that closes it."""
        depth = 0
        while True:
            token = self.here
            if token.kind is Kind.END:
                raise PhpSyntaxError("a bracket is not closed", token.line)
            self.at += 1
            if token.kind is Kind.OPERATOR:
                depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
            if depth <= 0:
                return

    def expression(self, least: int = 0) -> Expression:
        """Parse an expression whose operators bind at least as strongly as `least`. Raises PhpSyntaxError."""
        left = self._prefix()
        while True:
            word = self.word()
            if word in ASSIGNMENTS and isinstance(left, Variable | Index):
                left = self._assign(left)
            elif word == "?" and least <= _TERNARY:
                left = self._ternary(left)
            elif word in _BINARY and _BINARY[word] >= least:
                self.at += 1
                # `??` takes from the right, everything else from the left.
                left = Binary(word, left, self.expression(_BINARY[word] + (word != "??")))
            else:
                return left

    def _assign(self, target: Variable | Index) -> Expression:
        line, operator = self.here.line, self.here.text
        self.at += 1
        if self.take("&"):
            raise PhpSyntaxError("a reference", line)
        return Assign(target, operator, self.expression(_ASSIGNED), line)

    def _ternary(self, condition: Expression) -> Expression:
        self.expect("?")
        then = None if self.word() == ":" else self.expression(_ASSIGNED)
        self.expect(":")
        return Ternary(condition, then, self.expression(_TERNARY + 1))

    def _prefix(self) -> Expression:
        if self.take("!"):
            return Unary("!", self.expression(_UNARY))
        if self.take("@"):
            return self.expression(_UNARY)
        if self.word() in ("+", "-"):
            sign = self.word()
            self.at += 1
            return Unary(sign, self.expression(_UNARY))
        return self._postfix(self._primary())

    def _primary(self) -> Expression:
        token = self.here
        if token.kind is Kind.OPERATOR:
            return self._bracketed(token)
        self.at += 1
        if token.kind is Kind.STRING:
            return _string(token)
        if token.kind is Kind.NUMBER:
            return _number(token)
        if token.kind is Kind.VARIABLE and not token.text.startswith("$$"):
            return Variable(token.text[1:])
        if token.kind is Kind.NAME:
            return self._named(token)
        raise PhpSyntaxError("what is not understood", token.line)

    def _bracketed(self, token: Token) -> Expression:
        if token.text == "[":
            return self._array("]")
        if token.text != "(":
            raise PhpSyntaxError(f"'{token.text}', where a value is needed", token.line)
        self.at += 1
        if self.word() in _CASTS and self.tokens[self.at + 1].text == ")":
            cast = self.word()
            self.at += 2
            return Unary(f"({cast})", self.expression(_UNARY))
        inner = self.expression()
        self.expect(")")
        return inner

    def _array(self, closing: str) -> Expression:
        self.at += 1
        items: list[tuple[Expression | None, Expression]] = []
        while not self.take(closing):
            value = self.expression()
            if self.take("=>"):
                items.append((value, self.expression()))
            else:
                items.append((None, value))
            if self.word() != closing:
                self.expect(",")
        return ArrayLiteral(tuple(items))

    def _named(self, token: Token) -> Expression:
        word = token.text.lower()
        if word in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[word])
        if word == "array" and self.word() == "(":
            return self._array(")")
        if word in _INCLUDES:
            path = self.expression(_ASSIGNED)
            return Include(path, once=word.endswith("_once"), required=word.startswith("require"), line=token.line)
        if word in ("exit", "die"):
            if self.word() == "(":
                self.skip_balanced()
            return Exit()
        if word in _BEYOND:
            raise PhpSyntaxError(f"'{word}', which is not followed", token.line)
        if self.word() == "(":
            return Call(word.lstrip("\\"), self._arguments(), token.line)
        return Constant(token.text.lstrip("\\"))

    def _arguments(self) -> tuple[Expression, ...]:
        self.expect("(")
        arguments: list[Expression] = []
        while not self.take(")"):
            start = self.at
            try:
                arguments.append(self.expression())
                if self.word() not in (",", ")"):
                    raise PhpSyntaxError("an argument that is not understood", self.here.line)
            except PhpSyntaxError:
                self.at = start
                arguments.append(self._other_argument())
            if self.word() != ")":
                self.expect(",")
        return tuple(arguments)

    def _other_argument(self) -> Other:
        line = self.here.line
        while self.word() not in (",", ")"):
            if self.word() in _CLOSING:
                self.skip_balanced()
            elif self.here.kind is Kind.END or self.word() in (";", "]", "}"):
                raise PhpSyntaxError("a bracket is not closed", line)
            else:
                self.at += 1
        return Other("an argument that is not understood", line)

    def _postfix(self, base: Expression) -> Expression:
        while True:
            line = self.here.line
            if self.take("["):
                key = None if self.word() == "]" else self.expression()
                self.expect("]")
                base = Index(base, key)
            elif self.take("->", "?->"):
                base = self._member(line)
            elif self.take("::"):
                base = self._static(base, line)
            elif self.word() == "(" and not isinstance(base, Literal):
                self.skip_balanced()
                base = Other("a call through a variable", line)
            elif self.word() in ("++", "--"):
                raise PhpSyntaxError("counting, which is not followed", line)
            else:
                return base

    def _member(self, line: int) -> Other:
        if self.word() == "{":
            self.skip_balanced()
        else:
            self.at += 1
        if self.word() == "(":
            self.skip_balanced()
            return Other("a method call", line)
        return Other("an object's property", line)

    def _static(self, base: Expression, line: int) -> Expression:
        member = self.here.text
        self.at += 1
        name = f"{base.name if isinstance(base, Constant) else ''}::{member}"
        return Call(name, self._arguments(), line) if self.word() == "(" else Other(name, line)


def _string(token: Token) -> Expression:
    parts: list[Expression] = []
    for part in token.parts:
        if isinstance(part, str):
            parts.append(Literal(part))
        elif part.variable:
            parts.append(Variable(part.variable))
        else:
            parts.append(Other("a string with a value that is not followed", token.line))
    if len(parts) <= 1 and all(isinstance(part, Literal) for part in parts):
        return parts[0] if parts else Literal("")
    return Text(tuple(parts))


def _number(token: Token) -> Literal:
    text = token.text.replace("_", "").lower()
    if text.startswith(("0x", "0b")):
        return Literal(int(text, 0))
    if text.isdigit():
        return Literal(int(text, 8 if re.fullmatch("0[0-7]+", text) else 10))
    return Literal(float(text))
