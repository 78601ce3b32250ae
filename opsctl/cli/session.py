"""One run of one command: its options, its settings, its progress; and the wrapper that every command is in."""

import functools
import inspect
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

import typer

from opsctl.cli.errors import EXIT_TABLE, exit_code_of, message_of, show
from opsctl.cli.lazy import Group
from opsctl.cli.options import Options, shared
from opsctl.cli.output import Answer, Document, deliver, write_document
from opsctl.core.progress import Progress, Silent
from opsctl.core.settings import Loaded
from opsctl.settings import Settings, load_settings


class ErrorDocument(Document):
    """Why a command ended without an answer."""

    kind: str = "error"
    message: str
    where: str | None
    hint: str | None
    exit_code: int


class Session:
    """What a command works with."""

    def __init__(self, options: Options) -> None:
        self.options = options

    @cached_property
    def loaded(self) -> Loaded[Settings]:
        """The settings and where they came from. Raises SettingsError."""
        return load_settings(self.options.config)

    @property
    def settings(self) -> Settings:
        """The settings. Raises SettingsError."""
        return self.loaded.settings

    @cached_property
    def progress(self) -> Progress:
        """Progress for a person who watches; silent when nobody does."""
        if self.options.quiet or not sys.stderr.isatty():
            return Silent()
        from opsctl.cli.progress import TerminalProgress

        return TerminalProgress(color=self.options.color)

    def close(self, *, failed: bool) -> None:
        """Take the progress off the screen."""
        drawn = self.__dict__.get("progress")
        if drawn is not None and not isinstance(drawn, Silent):
            drawn.close(failed=failed)


def new_app() -> typer.Typer:
    """The home of a command that stands alone."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def new_group(summary: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(
        cls=Group,
        help=summary,
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        epilog=EXIT_TABLE,
    )


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Register `function(session, …) -> Answer` as a command with the options that every command has.

    Its docstring is its help. The answer is delivered, an error is shown, and the exit code returned.
    """

    def register(function: Callable[..., Answer]) -> Callable[..., Answer]:
        own = list(inspect.signature(function).parameters.values())[1:]
        common = list(inspect.signature(shared).parameters.values())
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

        def run(ctx: typer.Context, **words: Any) -> int:
            given = {parameter.name: words.pop(parameter.name) for parameter in common}
            outer = ctx.find_object(Options) or Options()
            return _perform(Session(outer.merged(**given)), functools.partial(function, **words))

        parameters = [context, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *common))]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, help=inspect.getdoc(function), epilog=EXIT_TABLE)(run)
        return function

    return register


def _perform(session: Session, function: Callable[[Session], Answer]) -> int:
    options = session.options
    try:
        answer = function(session)
        session.close(failed=False)
        return deliver(answer, as_json=options.as_json, quiet=options.quiet, color=options.color)
    except BrokenPipeError:
        raise
    except BaseException as error:  # noqa: BLE001 - the one place where everything becomes an exit code
        session.close(failed=True)
        if options.as_json:
            message, where, hint = message_of(error)
            code = exit_code_of(error)
            write_document(ErrorDocument(message=message, where=where, hint=hint, exit_code=code))
        return show(error, debug=options.debug)
