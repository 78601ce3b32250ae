"""The tree of commands: every one documented, with the same options and the table of exit codes."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from opsctl.cli.main import Root, app, run
from opsctl.core.errors import EXIT_MEANINGS

SHARED = {"--config", "--json", "--quiet", "--debug", "--no-color", "--lock-wait"}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its path."""
    root = typer.main.get_command(app)
    context = typer.Context(root)
    for name in Root.summaries:
        command = root.get_command(context, name)  # type: ignore[attr-defined]
        yield from _below(name, command)


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from _below(f"{path} {name}", child)


PATHS = dict(commands())


@pytest.mark.parametrize("path", PATHS)
def test_every_command_takes_the_shared_options(path: str) -> None:
    options = {word for parameter in PATHS[path].params for word in getattr(parameter, "opts", ())}
    assert options >= SHARED


@pytest.mark.parametrize("path", PATHS)
def test_every_command_and_option_is_described(path: str) -> None:
    assert PATHS[path].help
    for parameter in PATHS[path].params:
        assert parameter.help, parameter.name


@pytest.mark.parametrize("path", ["", *PATHS])
def test_every_help_has_the_exit_codes(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split(), "--help"]) == 0
    out = capsys.readouterr().out
    for code, meaning in EXIT_MEANINGS.items():
        assert f"{code.value:>5}  {meaning}" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_group_alone_shows_its_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: opsctl ledger" in captured.err


def test_a_mistyped_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledgr"]) == 2
    assert "Did you mean 'ledger'?" in capsys.readouterr().err


def test_a_mistyped_option_says_where_the_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "list", "--knd", "x"]) == 2
    assert "Try: opsctl ledger list --help" in capsys.readouterr().err
