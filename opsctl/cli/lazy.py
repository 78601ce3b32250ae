"""Groups of commands. The root imports a command when it is called: its `--help` shows words and imports nothing."""

import importlib
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup


class Group(TyperGroup):
    """Commands, each with the whole first sentence of its help in the table."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table of summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, (found.help or "").split("\n\n")[0]) for name, found in self.commands.items()])


class LazyGroup(TyperGroup):
    """The root of the command tree. Each command lies in the module of its own name, as `app`."""

    summaries: Mapping[str, str] = {}
    package = ""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Names without commands, so that a mistyped name gets its suggestion.
        self.commands = dict.fromkeys(self.summaries)  # type: ignore[assignment]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command's module."""
        if cmd_name not in self.summaries:
            return None
        if self.commands.get(cmd_name) is None:
            app = importlib.import_module(f"{self.package}.{cmd_name}").app
            self.commands[cmd_name] = typer.main.get_command(app)
            self.commands[cmd_name].name = cmd_name
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table of summaries."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))
