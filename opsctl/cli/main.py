"""The program's entry: the tree of commands, and the way out of it."""

import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from opsctl import __version__
from opsctl.cli import signals
from opsctl.cli.errors import EXIT_TABLE, show, write_error
from opsctl.cli.lazy import LazyGroup
from opsctl.cli.options import (
    ConfigOption,
    DebugOption,
    JsonOption,
    LockWaitOption,
    NoColorOption,
    Options,
    QuietOption,
)
from opsctl.core.errors import ExitCode


class Root(LazyGroup):
    """All commands, in the order in which somebody new needs them."""

    package = "opsctl.cli"
    summaries = {  # noqa: RUF012
        "demo": "See it all work on a throwaway customer.",
        "init": "Find the stack, write settings, make keys and accounts.",
        "status": "Say what could be brought back right now, and what is due.",
        "doctor": "Look at everything that has to be in place.",
        "backup": "Make backups, copy them, list them, verify them.",
        "restore": "Bring a backup, and the binary logs since, back into a directory.",
        "binlog": "Ship binary logs, list what was shipped, find gaps.",
        "drill": "Prove that backups restore.",
        "health": "Look at what visitors and jobs depend on, and recover what may be.",
        "maintenance": "Let visitors see a page of maintenance until a time.",
        "notify": "Say who hears of trouble, and try it.",
        "anomalies": "Measure, and judge what was measured.",
        "schedule": "Run jobs by themselves: by systemd, cron, or a service of its own.",
        "vault": "Archive chats, with an audit log that anyone can verify.",
        "deploy": "Plan and make changes of a customer's hosts.",
        "config": "Show, check or generate the settings.",
        "ledger": "Read and verify the list of what runs have proved.",
    }


app = typer.Typer(
    cls=Root,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    invoke_without_command=True,
    epilog=EXIT_TABLE,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"opsctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    no_color: NoColorOption = False,
    lock_wait: LockWaitOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Back a customer's stack up, ship its binary logs, and prove by drill that it all restores."""
    ctx.obj = Options(config, as_json, quiet, debug, no_color, lock_wait or 0.0)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="opsctl", standalone_mode=False)
    except TyperException as error:
        return _usage(error)
    except BrokenPipeError:
        return ExitCode.FAILED
    except BaseException as error:  # noqa: BLE001 - what happens before a command begins has an exit code as well
        return show(error, debug="--debug" in arguments)
    return int(code or ExitCode.DONE)


def _usage(error: TyperException) -> int:
    """Say what is wrong with the words typed; a command without words shows its help."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{error.message}\n")
    else:
        path = context.command_path if context is not None else "opsctl"
        write_error(error.format_message().rstrip("."), f"{path} --help")
    return ExitCode.USAGE


def main() -> None:
    """Run the program."""
    signals.install()
    sys.exit(run(sys.argv[1:]))
