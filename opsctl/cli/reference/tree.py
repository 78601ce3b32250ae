"""The command tree as data, in the order and the words of `--help`."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from opsctl.cli.main import app
from opsctl.cli.options import shared

PROGRAM = "opsctl"
_SHARED = {*inspect.signature(shared).parameters, "help"}


@dataclass(frozen=True)
class Option:
    """An option: its spellings, `written` with the name of its value as help shows it, and whether it takes one."""

    names: tuple[str, ...]
    written: str
    help: str
    takes_value: bool
    shared: bool


@dataclass(frozen=True)
class Argument:
    """A word after the command, without a dash."""

    written: str
    help: str


@dataclass(frozen=True)
class Node:
    """A command, or a group of commands: `path` is `()` for the program, `("backup", "run")` for a command."""

    path: tuple[str, ...]
    usage: str
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    children: tuple["Node", ...]

    @property
    def words(self) -> str:
        """The path as it is typed after the program's name."""
        return " ".join(self.path)

    @property
    def summary(self) -> str:
        """The first paragraph of the help on one line."""
        return " ".join(self.help.split("\n\n")[0].split())

    def walk(self) -> Iterator["Node"]:
        """This one and all below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


def tree() -> Node:
    """The whole program."""
    root = typer.main.get_command(app)
    return _node(root, typer.Context(root, info_name=PROGRAM, **root.context_settings), ())


def _node(command: Any, context: Any, path: tuple[str, ...]) -> Node:
    children = []
    for name in getattr(command, "commands", ()):
        child = command.get_command(context, name)
        child_context = typer.Context(child, info_name=name, parent=context)
        children.append(_node(child, child_context, (*path, name)))
    parameters = [(each, each.get_help_record(context)) for each in command.get_params(context)]
    return Node(
        path=path,
        usage=command.get_usage(context).removeprefix("Usage: "),
        help=command.help or "",
        options=tuple(_option(each, record) for each, record in parameters if record and each.opts[0].startswith("-")),
        arguments=tuple(Argument(*record) for each, record in parameters if record and each.opts[0][0] != "-"),
        children=tuple(children),
    )


def _option(parameter: Any, record: tuple[str, str]) -> Option:
    return Option(
        # Sorted, the long ones first: the framework has those of --help in a set.
        names=tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=lambda name: (name[:2] != "--", name))),
        written=record[0],
        help=record[1],
        takes_value=not parameter.is_flag and not parameter.count,
        shared=parameter.name in _SHARED,
    )
