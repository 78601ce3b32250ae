"""Reads a PHP configuration: follows what is plain, and joins what either branch of an unknown condition may set."""

import posixpath
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from pathlib import Path

from opsctl.stack.php.evaluation import Evaluator, Session
from opsctl.stack.php.functions import truth
from opsctl.stack.php.parser import parse
from opsctl.stack.php.state import State, join
from opsctl.stack.php.syntax import ClassBody, If, Include, Perhaps, Return, Run, Statement
from opsctl.stack.php.tokens import PhpSyntaxError
from opsctl.stack.php.values import Files, Opaque, PhpConfig, Setting, Unknown, Value

_DEEPEST = 20
_DEEPEST_LOOP = 6
# Code, not configuration: WordPress itself, and Composer's loader of classes.
_NOT_FOLLOWED = ("wp-settings.php", "autoload.php")
_CONDITION = "depends on a condition that is not understood"


def read_config(
    files: Files,
    *paths: Path,
    server: Mapping[str, str] | None = None,
    constants: Mapping[str, str | None] | None = None,
    directory: Path | None = None,
    follow: bool = True,
) -> PhpConfig:
    """Read one or more files, in order, and (unless not to `follow`) what they require, without running anything.

    `server` is what `$_SERVER` is known to hold; `constants` are defined before, None for one whose value is not
    known; `directory` is where the site's first script lies, from which relative paths are seen.
    """
    session = Session(files, server or {}, directory or paths[0].parent, depth=0 if follow else _DEEPEST)
    for name, value in (constants or {}).items():
        known: Value = Unknown(f"the constant {name}", paths[0], 0) if value is None else value
        session.state.constants[name] = Setting(known, paths[0], 0)
    try:
        for path in paths:
            _Reader(session, path).read()
            session.ended = False
    except RecursionError:
        opaque = Opaque("is nested too deeply to be followed", paths[0], 0)
        return PhpConfig({}, {}, {}, tuple(session.state.files), (opaque,))
    state = session.state
    return PhpConfig(state.constants, state.variables, state.classes, tuple(state.files), tuple(state.opaque))


class _Flow(Enum):
    """How a statement ends: the next one follows, the file ends, the program ends."""

    NEXT = auto()
    RETURN = auto()
    EXIT = auto()


class _Reader:
    """Goes through one file."""

    def __init__(self, session: Session, file: Path) -> None:
        self.session = session
        self.file = file
        self.evaluator = Evaluator(session, file, self._include)
        self.returned: list[tuple[State, Value]] = []

    def read(self) -> Value:
        """Go through the file; return what it returns."""
        session = self.session
        session.state.files.append(session.files.real(self.file))
        text = session.files.read(self.file)
        if text is None:
            self.evaluator.opaque("cannot be read")
            return self.evaluator.unknown("a file that cannot be read")
        try:
            statements = parse(text)
        except PhpSyntaxError as error:
            self.evaluator.line = error.line
            self.evaluator.opaque(f"is not valid PHP: {error.why}")
            return self.evaluator.unknown("a file that is not valid PHP")
        flow = self._block(statements)
        ends = [*self.returned]
        if flow is _Flow.NEXT:
            ends.append((session.state, 1))
        if ends:
            session.state = join([state for state, _ in ends], _CONDITION, self.file, self.evaluator.line)
        values = [value for _, value in ends]
        return values[0] if len(values) == 1 else self.evaluator.unknown(_CONDITION)

    def _block(self, statements: Sequence[Statement]) -> _Flow:
        for statement in statements:
            flow = self._statement(statement)
            if flow is not _Flow.NEXT:
                return flow
        return _Flow.NEXT

    def _statement(self, statement: Statement) -> _Flow:
        match statement:
            case Run():
                self.evaluator.line = statement.line
                self.evaluator.value(statement.expression)
            case If():
                return self._if(statement)
            case Perhaps():
                return self._perhaps(statement)
            case Return():
                return self._return(statement)
            case ClassBody():
                for name, expression, line in statement.properties:
                    self.evaluator.line = line
                    setting = Setting(self.evaluator.value(expression), self.file, line)
                    self.session.state.classes[f"{statement.name}.{name}"] = setting
        return _Flow.EXIT if self.session.ended else _Flow.NEXT

    def _if(self, statement: If) -> _Flow:
        self.evaluator.line = statement.line
        decided = truth(self.evaluator.value(statement.condition))
        if decided is not None:
            return self._block(statement.then if decided else statement.otherwise)
        return self._fork(statement.line, statement.then, statement.otherwise)

    def _perhaps(self, statement: Perhaps) -> _Flow:
        """Bodies of which any may run, wholly or in part and again: what they may set is not known any more.

        Once that is so, further branches may be open in them; they are gone through until nothing new is set.
        """
        self.evaluator.line = statement.line
        unknown = self.evaluator.unknown(f"depends on '{statement.what}', which is not followed")
        session, state, before = self.session, self.session.state, self.session.touched
        session.loops += 1
        if session.loops > _DEEPEST_LOOP:
            raise RecursionError
        known: set[str] = set()
        session.touched = {f"${name}" for name in statement.variables}
        while True:
            known |= session.touched
            state.forget(known, unknown)
            for body in statement.bodies:
                session.state = state.copy()
                self._block(body)
                session.ended = False
                state.hear(session.state)
            if session.touched <= known:
                break
        session.loops -= 1
        session.state, session.touched = state, before | known
        return _Flow.NEXT

    def _fork(self, line: int, *branches: Sequence[Statement]) -> _Flow:
        """Go through each branch as if it alone were taken. One that ends the program is not: the site runs."""
        before = self.session.state
        going_on: list[State] = []
        returned = len(self.returned)
        for branch in branches:
            self.session.state = before.copy()
            flow = self._block(branch)
            if flow is _Flow.NEXT:
                going_on.append(self.session.state)
            self.session.ended = False
        if going_on:
            self.session.state = join(going_on, _CONDITION, self.file, line)
            return _Flow.NEXT
        if len(self.returned) > returned:
            return _Flow.RETURN
        self.session.ended = True
        return _Flow.EXIT

    def _return(self, statement: Return) -> _Flow:
        self.evaluator.line = statement.line
        value = None if statement.value is None else self.evaluator.value(statement.value)
        self.returned.append((self.session.state, value))
        return _Flow.RETURN

    def _include(self, include: Include, path: Value) -> Value:
        """Go through a file that this one requires."""
        self.evaluator.line = include.line
        if not isinstance(path, str):
            self.evaluator.opaque("requires a file whose name is not understood")
            return self.evaluator.unknown("what a required file returns")
        if posixpath.basename(path) in _NOT_FOLLOWED:
            return self.evaluator.unknown("what a required file returns")
        file = self._find(path)
        if file is None:
            if include.required:
                self.evaluator.opaque(f"requires {path}, which is not there")
            return False
        if include.once and self.session.files.real(file) in self.session.state.files:
            return True
        if self.session.depth >= _DEEPEST:
            self.evaluator.opaque(f"requires {path}, too deep to be followed")
            return self.evaluator.unknown("what a required file returns")
        self.session.depth += 1
        value = _Reader(self.session, file).read()
        self.session.depth -= 1
        return value

    def _find(self, path: str) -> Path | None:
        """The file that PHP would take, https://www.php.net/manual/en/function.include.php; None when there is none."""
        if path.startswith("/"):
            candidates = [Path(path)]
        elif path.startswith(("./", "../")):
            candidates = [self.session.directory / path]
        else:
            candidates = [self.session.directory / path, self.session.files.real(self.file).parent / path]
        for candidate in candidates:
            if self.session.files.is_file(candidate):
                return candidate
        return None
