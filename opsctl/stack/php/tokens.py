"""PHP's tokens, as far as configuration files use them.

https://www.php.net/manual/en/language.types.string.php, https://www.php.net/manual/en/language.basic-syntax.php
"""

import bisect
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto


class Kind(Enum):
    """What a token is. A string's value are its parts, a name keeps its namespace."""

    STRING = auto()
    NUMBER = auto()
    VARIABLE = auto()
    NAME = auto()
    OPERATOR = auto()
    END = auto()


@dataclass(frozen=True)
class Interpolation:
    """A place in a string where PHP puts a value: of a plain variable, or, with no name, of something else."""

    variable: str | None


@dataclass(frozen=True)
class Token:
    """One token. `parts` are a string's pieces; nothing of a string is shown when a token is printed."""

    kind: Kind
    text: str
    line: int
    parts: tuple[str | Interpolation, ...] = field(default=(), repr=False)


class PhpSyntaxError(Exception):
    """The text is no PHP, or ends in the middle; `line` says where it began to go wrong."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(f"{why}, line {line}")
        self.why = why
        self.line = line


_OPEN = re.compile(r"<\?(?:php(?=\s|$)|=)", re.IGNORECASE)
_BLANK = re.compile(r"\s+")
_LINE_COMMENT = re.compile(r"(?:#(?!\[)|//)[^\n]*?(?=\?>|\n|\Z)")
_VARIABLE = re.compile(r"\$+[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*")
_NAME = re.compile(r"\\?[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*(?:\\[A-Za-z_]\w*)*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]+|0[bB][01_]+|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?")
_HEREDOC = re.compile(r"<<<[ \t]*(?P<quote>['\"]?)(?P<label>[A-Za-z_]\w*)(?P=quote)\r?\n")
_OPERATOR = re.compile(
    r"\?->|<=>|\*\*=|\.\.\.|<<=|>>=|===|!==|\?\?=|\?\?|=>|->|::|==|!=|<>|<=|>=|&&|\|\||\+\+|--|\.=|\+=|-=|\*=|/=|%=|&=|"
    r"\|=|\^=|<<|>>|\*\*|[-+*/%=<>!.,;:?()\[\]{}@&|^~$`#]"
)
_SIMPLE_VARIABLE = re.compile(r"\$([A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)(\[|->|\?->)?")
_ESCAPE = re.compile(r"\\(?:([nrtvef\\$\"])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u\{([0-9A-Fa-f]+)\})")
_SINGLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "e": "\x1b", "f": "\f", "\\": "\\", "$": "$", '"': '"'}


def tokens(text: str) -> tuple[Token, ...]:
    """Take a PHP file apart. Comments and text outside of PHP are left out; `?>` counts as `;`.

    Raises PhpSyntaxError for what does not end.
    """
    return tuple(_Lexer(text).run())


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line_ends = [found.start() for found in re.finditer("\n", text)]

    def run(self) -> Iterator[Token]:
        """All tokens, an END last."""
        opening = _OPEN.search(self.text)
        while opening is not None:
            self.at = opening.end()
            if opening[0] == "<?=":
                yield self._token(Kind.NAME, "echo")
            closed = yield from self._code()
            opening = _OPEN.search(self.text, self.at) if closed else None
        yield self._token(Kind.END, "")

    def _line(self, at: int) -> int:
        return bisect.bisect_left(self.line_ends, at) + 1

    def _token(self, kind: Kind, text: str) -> Token:
        return Token(kind, text, self._line(self.at))

    def _code(self) -> Generator[Token, None, bool]:
        """The tokens up to `?>`; returns whether there was one."""
        while self.at < len(self.text):
            if self.text.startswith("?>", self.at):
                yield self._token(Kind.OPERATOR, ";")
                self.at += 2
                return True
            if self._skip():
                continue
            token, self.at = self._next()
            if token.kind is Kind.NAME and token.text.lower() == "__halt_compiler":
                return False
            yield token
        return False

    def _skip(self) -> bool:
        """Pass over blanks, a comment or an attribute; return whether there was one."""
        if self.text.startswith("/*", self.at):
            self.at = self._find("*/", self.at + 2, "a comment does not end") + 2
            return True
        if self.text.startswith("#[", self.at):
            self.at = self._find("]", self.at, "an attribute does not end") + 1
            return True
        found = _BLANK.match(self.text, self.at) or _LINE_COMMENT.match(self.text, self.at)
        if found is None:
            return False
        self.at = found.end()
        return True

    def _find(self, end: str, start: int, why: str) -> int:
        found = self.text.find(end, start)
        if found < 0:
            raise PhpSyntaxError(why, self._line(self.at))
        return found

    def _next(self) -> tuple[Token, int]:
        """The token here, and where it ends."""
        if self.text[self.at] == "'":
            return self._single()
        if self.text[self.at] == '"':
            end = self._closing_quote(self.at + 1)
            return self._string(_interpolated(self.text[self.at + 1 : end], '"')), end + 1
        if heredoc := _HEREDOC.match(self.text, self.at):
            return self._heredoc(heredoc)
        for kind, pattern in (
            (Kind.VARIABLE, _VARIABLE),
            (Kind.NAME, _NAME),
            (Kind.NUMBER, _NUMBER),
            (Kind.OPERATOR, _OPERATOR),
        ):
            if found := pattern.match(self.text, self.at):
                return self._token(kind, found[0]), found.end()
        raise PhpSyntaxError("a character that PHP does not know", self._line(self.at))

    def _string(self, parts: tuple[str | Interpolation, ...]) -> Token:
        return Token(Kind.STRING, "a string", self._line(self.at), parts)

    def _single(self) -> tuple[Token, int]:
        found = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL).match(self.text, self.at)
        if found is None:
            raise PhpSyntaxError("a string does not end", self._line(self.at))
        return self._string((re.sub(r"\\([\\'])", r"\1", found[1]),)), found.end()

    def _closing_quote(self, at: int) -> int:
        """Where a double-quoted string ends; quotes within `{$…}` do not end it."""
        while at < len(self.text):
            if self.text[at] == "\\":
                at += 2
            elif self.text.startswith(("{$", "${"), at):
                at = _closing_brace(self.text, at)
            elif self.text[at] == '"':
                return at
            else:
                at += 1
        raise PhpSyntaxError("a string does not end", self._line(self.at))

    def _heredoc(self, opening: re.Match[str]) -> tuple[Token, int]:
        """A heredoc or nowdoc; what its closing line is indented by is taken off each line."""
        closing = re.compile(rf"^([ \t]*){opening['label']}\b", re.MULTILINE).search(self.text, opening.end())
        if closing is None:
            raise PhpSyntaxError("a heredoc does not end", self._line(self.at))
        body = self.text[opening.end() : max(opening.end(), closing.start() - 1)].removesuffix("\r")
        body = re.sub(rf"^{closing[1]}", "", body, flags=re.MULTILINE) if closing[1] else body
        parts: tuple[str | Interpolation, ...] = (body,) if opening["quote"] == "'" else _interpolated(body, "")
        return self._string(parts), closing.end()


def _closing_brace(text: str, at: int) -> int:
    """The position behind the `}` that closes the brace at `at`, or the end of the text."""
    depth = 0
    while at < len(text):
        if text[at] in "'\"":
            end = re.compile(r"(['\"])(?:(?!\1)[^\\]|\\.)*\1", re.DOTALL).match(text, at)
            at = end.end() if end else len(text)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if depth == 0 and text[at - 1] == "}":
            return at
    return at


def _interpolated(raw: str, quote: str) -> tuple[str | Interpolation, ...]:
    """Take the inside of a double-quoted string or heredoc apart into text and places for values."""
    parts: list[str | Interpolation] = []
    plain = ""
    at = 0
    while at < len(raw):
        if found := _ESCAPE.match(raw, at):
            # In a heredoc a backslash before a quote is just a backslash.
            plain += found[0] if found[1] == '"' and not quote else _unescape(found)
            at = found.end()
        elif raw.startswith(("{$", "${"), at):
            end = _closing_brace(raw, at)
            simple = re.fullmatch(r"\{\$(\w+)\}|\$\{(\w+)\}", raw[at:end])
            parts += [plain, Interpolation(simple[1] or simple[2] if simple else None)]
            plain, at = "", end
        elif found := _SIMPLE_VARIABLE.match(raw, at):
            parts += [plain, Interpolation(None if found[2] else found[1])]
            plain, at = "", found.end()
        else:
            plain += raw[at]
            at += 1
    return tuple(part for part in (*parts, plain) if part != "")


def _unescape(found: re.Match[str]) -> str:
    single, octal, hexadecimal, code_point = found.groups()
    if single:
        return _SINGLE_ESCAPES[single]
    if octal or hexadecimal:
        return chr(int(octal, 8) & 0xFF if octal else int(hexadecimal, 16))
    return chr(int(code_point, 16))
