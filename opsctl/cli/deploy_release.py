"""The half of `opsctl deploy` that is about applications: release, rollback, releases."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command
from opsctl.cli.views import deploy_release as view
from opsctl.core.errors import ExitCode
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.deploy.releases import run as releasing
from opsctl.overview import vault_wire, wire

InventoryArgument = Annotated[Path, typer.Argument(metavar="INVENTORY", help="The customer's file, stacks/NAME.toml.")]
SiteArgument = Annotated[str, typer.Argument(metavar="SITE", help="The site, by its name in the inventory.")]
WhyOption = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the release.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    for name, function in (("release", release), ("rollback", rollback), ("releases", releases)):
        command(app, name)(function)


def release(
    session: Session,
    *,
    inventory: InventoryArgument,
    site: SiteArgument,
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="All of the application, ready to run.")],
    why: WhyOption = "",
) -> Answer:
    """Put a directory in place of what a site shows; one that does not work is not shown, and lies apart."""
    settings = session.settings
    wanted = _order(session, inventory, site, why)
    done = releasing.release(wanted, directory, wire.ledger(settings), session.progress)
    document = view.released(done)
    return Answer(document, lambda paint: view.text(document, paint), report=True)


def rollback(
    session: Session,
    *,
    inventory: InventoryArgument,
    site: SiteArgument,
    to: Annotated[str | None, typer.Option(metavar="ID", help="To this release, not to the last good one.")] = None,
    why: WhyOption = "",
) -> Answer:
    """Show the last good release of a site again, if it still works."""
    settings = session.settings
    wanted = _order(session, inventory, site, why)
    session.progress.step(f"Going back on {wanted.site.host}")
    document = view.released(releasing.rollback(wanted, to, wire.ledger(settings)))
    return Answer(document, lambda paint: view.text(document, paint), report=True)


def releases(
    session: Session,
    *,
    inventory: InventoryArgument,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Only this site.")] = None,
) -> Answer:
    """List the releases on the hosts: which is live, to which one can go back, which did not work."""
    found = releasing.list_releases(load_inventory(inventory, ()), site)
    document = view.listed(found)
    code = ExitCode.DONE
    if errors := [each.error for each in found if each.error is not None]:
        code = errors[0].exit_code if len(errors) == len(found) else ExitCode.PARTIAL
    return Answer(document, lambda paint: view.list_text(document, paint), code)


def _order(session: Session, inventory: Path, site: str, why: str) -> releasing.Order:
    found = load_inventory(inventory, ())
    who = Who(vault_wire.actor(), vault_wire.origin())
    return releasing.Order(found, releasing.site_of(found, site), who, why, session.options.lock_wait_s)
