"""`opsctl deploy restore`: what was restored elsewhere goes live on a new host."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command
from opsctl.cli.views import deploy_restore as view
from opsctl.core.clock import parse_instant
from opsctl.deploy.bootstrap import the_host
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.deploy.restore import restore_host
from opsctl.overview import vault_wire, wire


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    command(app, "restore")(restore)


def restore(
    session: Session,
    *,
    inventory: Annotated[Path, typer.Argument(metavar="INVENTORY", help="The customer's file, stacks/NAME.toml.")],
    source: Annotated[Path, typer.Option("--from", metavar="DIR", help="What `opsctl restore --to DIR` has made.")],
    host: Annotated[str | None, typer.Option(metavar="NAME", help="Which host, when there are several.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the host was lost; by default, when the restore began.")
    ] = None,
) -> Answer:
    """Bring a lost host's database and sites live on the new one that was deployed in its place.

    Refused on a host that has data. When its sites do not answer afterwards, it is as it was before.
    """
    settings = session.settings
    found = load_inventory(inventory, settings.deploy.identity_files)
    subject = Subject(found, the_host(found, host))
    session.progress.step(f"Restoring {subject.host.name}")
    lost = parse_instant(since) if since else None
    who = Who(vault_wire.actor(), vault_wire.origin())
    document = view.DeployRestore(restored=restore_host(subject, source, wire.ledger(settings), who, since=lost))
    return Answer(document, lambda paint: view.restore_text(document, paint), report=True)
