"""The options that every command has, accepted before the command's name and after it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file (default: ./ or /etc/opsctl/opsctl.toml)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON (its schemas: docs/schemas).")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on success, show no progress.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="No colours; so does NO_COLOR=1.")]
LockWaitOption = Annotated[
    float | None, typer.Option("--lock-wait", metavar="SECONDS", help="Wait this long for another run's lock.")
]


@dataclass(frozen=True)
class Options:
    """What was asked for by the options of every command; `lock_wait_s` is in seconds."""

    config: Path | None = None
    as_json: bool = False
    quiet: bool = False
    debug: bool = False
    no_color: bool = False
    lock_wait_s: float = 0.0

    def merged(
        self,
        *,
        config: Path | None,
        as_json: bool,
        quiet: bool,
        debug: bool,
        no_color: bool,
        lock_wait: float | None,
    ) -> "Options":
        """These options, overridden by those given after the command's name."""
        return Options(
            config=self.config if config is None else config,
            as_json=self.as_json or as_json,
            quiet=self.quiet or quiet,
            debug=self.debug or debug,
            no_color=self.no_color or no_color,
            lock_wait_s=self.lock_wait_s if lock_wait is None else lock_wait,
        )

    @property
    def color(self) -> bool:
        """Whether colours are allowed where there is a terminal (https://no-color.org)."""
        return not self.no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def shared(
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    no_color: NoColorOption = False,
    lock_wait: LockWaitOption = None,
) -> None:
    """The signature that `command` adds to every command's own."""
