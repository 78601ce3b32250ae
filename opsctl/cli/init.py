"""`opsctl init`: find the stack and set this machine up."""

import socket
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_app
from opsctl.cli.views import init as view
from opsctl.overview.init import Wanted, initialise, stack_name
from opsctl.overview.new_files import NewFiles, NoFiles

app = new_app()
DEFAULT = Path("/etc/opsctl/opsctl.toml")


class Place(StrEnum):
    """What this machine is for."""

    HOST = "host"
    ALL = "all"


@command(app, "init")
def init(
    session: Session,
    *,
    stack: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the stack (default: this host's).")] = None,
    repository: Annotated[Path, typer.Option(metavar="DIR", help="The local repository.")] = Path(
        "/var/backups/opsctl"
    ),
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="AGE1…", help="age recipient of the archives; may be repeated.")
    ] = None,
    keys_recipient: Annotated[
        list[str] | None, typer.Option(metavar="AGE1…", help="age recipient of the keys archive; may be repeated.")
    ] = None,
    place: Annotated[
        Place, typer.Option(help="host: makes backups only; all: drills here too, to try it.")
    ] = Place.HOST,
    root: Annotated[Path, typer.Option(metavar="DIR", help="Where the host's file system lies.")] = Path("/"),
    state_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the ledger lies.")] = None,
    lock_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where locks lie.")] = None,
    scratch_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where drills restore.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what was found and what would be made.")] = False,
) -> Answer:
    """Find the stack, write commented settings, make keys and accounts.

    Nothing that exists is overwritten. Without --recipient a new identity is made: take it away from this host.
    """
    wanted = Wanted(
        config=(session.options.config or DEFAULT).absolute(),
        stack=stack or stack_name(socket.gethostname()),
        repository=repository.absolute(),
        root=root.absolute(),
        place=place.value,
        recipients=recipient or (),
        keys_recipients=keys_recipient or (),
        state_dir=state_dir,
        lock_dir=lock_dir,
        scratch_dir=scratch_dir,
    )
    document = view.initialised(initialise(wanted, NoFiles() if dry_run else NewFiles()))
    return Answer(document, lambda paint: view.text(document, paint))
