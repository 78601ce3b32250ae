"""Parses PHP's statements. A statement that is not understood becomes an `Other` that names what it may set."""

import itertools
from collections.abc import Callable, Iterator

from opsctl.stack.php.expressions import ASSIGNMENTS, ExpressionParser
from opsctl.stack.php.syntax import (
    Call,
    ClassBody,
    Expression,
    If,
    Literal,
    Other,
    Perhaps,
    Return,
    Run,
    Statement,
)
from opsctl.stack.php.tokens import Kind, PhpSyntaxError, Token, tokens

_LOOPS = {"for": "endfor", "foreach": "endforeach", "while": "endwhile", "switch": "endswitch"}
_MODIFIERS = ("public", "protected", "private", "static", "readonly", "var", "abstract", "final", "const")
_TYPES = ("class", "interface", "trait", "enum")
_PERHAPS = (*_LOOPS, "do", "try", "declare")
_DECLARATIONS = (*_TYPES, *_MODIFIERS, "function", "namespace", "use")
_MAY_SET_ANY = ("list", "unset", "&", "++", "--")
_ENDS_OF_IF = ("elseif", "else", "endif")


def parse(text: str) -> tuple[Statement, ...]:
    """Parse a PHP file. Raises PhpSyntaxError when it ends in the middle of something."""
    parser = _Parser(tokens(text))
    found: list[Statement] = []
    while parser.here.kind is not Kind.END:
        found += parser.statement()
    return tuple(found)


class _Parser(ExpressionParser):
    def statement(self) -> tuple[Statement, ...]:
        """Parse one statement; a block is as many as are in it. One that is not understood is passed over."""
        start = self.at
        try:
            return self._statement()
        except PhpSyntaxError as error:
            self.at = start
            return self._passed_over(error)

    def _statement(self) -> tuple[Statement, ...]:
        line, word = self.here.line, self.word()
        if word == "{":
            return self._block()
        branching: dict[str, Callable[[], Statement]] = {
            "if": self._if,
            "return": self._return,
            **dict.fromkeys(_PERHAPS, self._perhaps),
        }
        if word in branching:
            return (branching[word](),)
        if word in _DECLARATIONS:
            return self._declaration(word)
        if word in ("global", "echo", "break", "continue"):
            return self._ignored()
        if self.take(";"):
            return ()
        expression = self.expression()
        self._end()
        return (Run(expression, line),)

    def _end(self) -> None:
        if self.here.kind is not Kind.END and self.word() != "}":
            self.expect(";")

    def _block(self) -> tuple[Statement, ...]:
        self.expect("{")
        found: list[Statement] = []
        while not self.take("}"):
            if self.here.kind is Kind.END:
                raise PhpSyntaxError("a bracket is not closed", self.here.line)
            found += self.statement()
        return tuple(found)

    def _until(self, words: tuple[str, ...]) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while self.word() not in words:
            if self.here.kind is Kind.END:
                raise PhpSyntaxError("a bracket is not closed", self.here.line)
            found += self.statement()
        return tuple(found)

    def _condition(self) -> Expression:
        """What stands in brackets; when it is not understood, an Other."""
        start, line = self.at, self.here.line
        try:
            self.expect("(")
            found = self.expression()
            self.expect(")")
        except PhpSyntaxError:
            self.at = start
            if self.word() != "(":
                raise
            self.skip_balanced()
            return Other("a condition that is not understood", line)
        return found

    def _if(self) -> If:
        line = self.here.line
        self.at += 1
        condition = self._condition()
        if self.take(":"):
            return self._if_with_end(condition, line)
        then = self.statement()
        otherwise: tuple[Statement, ...] = ()
        if self.word() == "elseif":
            otherwise = (self._if(),)
        elif self.take("else"):
            otherwise = self.statement()
        return If(condition, then, otherwise, line)

    def _if_with_end(self, condition: Expression, line: int) -> If:
        """The form `if (…): … elseif (…): … else: … endif;`."""
        then = self._until(_ENDS_OF_IF)
        otherwise: tuple[Statement, ...] = ()
        if self.word() == "elseif":
            return If(condition, then, (self._if(),), line)
        if self.take("else"):
            self.expect(":")
            otherwise = self._until(("endif",))
        self.expect("endif")
        self._end()
        return If(condition, then, otherwise, line)

    def _perhaps(self) -> Perhaps:
        line, word = self.here.line, self.word()
        self.at += 1
        head = self.at
        if self.word() == "(":
            self.skip_balanced()
        variables = _set_by_head(self.tokens[head : self.at])
        bodies = [*self._switch()] if word == "switch" else [self._body(_LOOPS.get(word))]
        while self.word() in ("catch", "finally"):
            self.at += 1
            head = self.at
            if self.word() == "(":
                self.skip_balanced()
            variables |= _variables(self.tokens[head : self.at])
            bodies.append(self._block())
        if word == "do":
            self.expect("while")
            self.skip_balanced()
            self._end()
        return Perhaps(word, tuple(bodies), variables, line)

    def _body(self, end: str | None) -> tuple[Statement, ...]:
        """A statement or block, or all up to the word `end` behind a colon."""
        if end is None or not self.take(":"):
            return self.statement()
        body = self._until((end,))
        self.at += 1
        self._end()
        return body

    def _switch(self) -> Iterator[tuple[Statement, ...]]:
        """The body of each case; one that runs on into the next is taken for two."""
        ends = ("endswitch",) if self.take(":") else ("}",)
        if ends == ("}",):
            self.expect("{")
        while not self.take(*ends):
            if self.take("case"):
                self.expression()
            else:
                self.expect("default")
            self.at += 1
            yield self._until(("case", "default", *ends))
        if ends != ("}",):
            self._end()

    def _return(self) -> Return:
        line = self.here.line
        self.at += 1
        start = self.at
        value: Expression | None = None
        if self.word() not in (";", "}") and self.here.kind is not Kind.END:
            try:
                value = self.expression()
                self._end()
            except PhpSyntaxError:
                self.at = start
                self._passed_over(PhpSyntaxError("what is not understood", line))
                return Return(Other("a value that is not understood", line), line)
            return Return(value, line)
        self._end()
        return Return(value, line)

    def _ignored(self) -> tuple[Statement, ...]:
        while self.word() != ";" and self.here.kind is not Kind.END:
            if self.word() in ("(", "[", "{"):
                self.skip_balanced()
            else:
                self.at += 1
        self.take(";")
        return ()

    def _declaration(self, word: str) -> tuple[Statement, ...]:
        """A function, class, import, or `const NAME = value;`: the only one that sets something."""
        line = self.here.line
        if word == "const":
            self.at += 1
            return self._constants(line)
        while self.word() not in ("{", ";", *_TYPES):
            if self.here.kind is Kind.END:
                raise PhpSyntaxError("a declaration does not end", line)
            self.at += 1
        if self.take(";"):
            return ()
        if self.word() in _TYPES:
            self.at += 1
            return (self._class(),)
        if word == "namespace":
            return self._block()
        self.skip_balanced()
        return ()

    def _constants(self, line: int) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while True:
            name = self.here.text
            self.at += 1
            self.expect("=")
            value = self.expression()
            found.append(Run(_define(name, value, line), line))
            if not self.take(","):
                break
        self._end()
        return tuple(found)

    def _class(self) -> ClassBody:
        name = self.here.text
        while self.word() != "{":
            if self.here.kind is Kind.END:
                raise PhpSyntaxError("a class does not end", self.here.line)
            self.at += 1
        self.expect("{")
        properties: list[tuple[str, Expression, int]] = []
        while not self.take("}"):
            if self.here.kind is Kind.END:
                raise PhpSyntaxError("a class does not end", self.here.line)
            properties += self._class_member()
        return ClassBody(name, tuple(properties))

    def _class_member(self) -> list[tuple[str, Expression, int]]:
        """One property with the value it begins with; methods and everything else are passed over."""
        last: Token = self.here
        while self.word() not in (";", "{", "="):
            if self.here.kind is Kind.END:
                raise PhpSyntaxError("a class does not end", self.here.line)
            if self.word() == "(":
                self.skip_balanced()
                continue
            last = self.here
            self.at += 1
        if self.take(";"):
            return []
        if self.word() == "{":
            self.skip_balanced()
            return []
        self.expect("=")
        start = self.at
        try:
            value = self.expression()
            self.expect(";")
        except PhpSyntaxError:
            self.at = start
            self._passed_over(PhpSyntaxError("what is not understood", last.line))
            value = Other("a value that is not understood", last.line)
        return [(last.text.removeprefix("$"), value, last.line)]

    def _passed_over(self, error: PhpSyntaxError) -> tuple[Statement, ...]:
        """Pass over a statement; say what it may set: each variable that is named, each constant it may define."""
        start, line = self.at, self.here.line
        while self.here.kind is not Kind.END and self.word() not in (";", "}"):
            if self.word() in ("(", "[", "{"):
                was_block = self.word() == "{"
                self.skip_balanced()
                if was_block and self.word() not in (";", ",", ")", "->", "."):
                    break
            else:
                self.at += 1
        if not self.take(";") and self.at == start:
            raise PhpSyntaxError("a bracket that nothing opened", line)
        passed = self.tokens[start : self.at]
        return (Run(Other(error.why, line, _assigned(passed), _defined(passed)), line),)


def _define(name: str, value: Expression, line: int) -> Expression:
    return Call("define", (Literal(name), value), line)


def _variables(passed: tuple[Token, ...]) -> frozenset[str]:
    return frozenset(token.text.lstrip("$") for token in passed if token.kind is Kind.VARIABLE)


def _set_by_head(passed: tuple[Token, ...]) -> frozenset[str]:
    """The variables that the head of a loop or `switch` may set: of `foreach`, those behind `as`."""
    words = [token.text.lower() for token in passed]
    if "as" in words and "&" not in words:
        return _variables(passed[words.index("as") :])
    return _assigned(passed) if passed else frozenset()


def _assigned(passed: tuple[Token, ...]) -> frozenset[str]:
    """The variables that these tokens may set: those before an assignment, or all of them where PHP may set any."""
    if passed[0].text == "[" or any(token.text.lower() in _MAY_SET_ANY for token in passed):
        return _variables(passed)
    followed = itertools.pairwise(passed)
    return _variables(tuple(token for token, after in followed if after.text in (*ASSIGNMENTS, "[", "++", "--")))


def _defined(passed: tuple[Token, ...]) -> frozenset[str]:
    """The constants that `define('NAME', …)` in these tokens sets."""
    found: set[str] = set()
    for word, bracket, name in zip(passed, passed[1:], passed[2:], strict=False):
        if word.text.lower() == "define" and bracket.text == "(" and name.kind is Kind.STRING:
            found.update(part for part in name.parts if isinstance(part, str))
    return frozenset(found)
