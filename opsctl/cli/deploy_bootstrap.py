"""`opsctl deploy bootstrap`: a bare host becomes what its inventory says."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command
from opsctl.cli.views import deploy_bootstrap as view
from opsctl.core.errors import ExitCode
from opsctl.deploy import bootstrap as making
from opsctl.deploy.application import Terms
from opsctl.deploy.drift import Memory
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.overview import vault_wire, wire


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    command(app, "bootstrap")(bootstrap)


def bootstrap(
    session: Session,
    *,
    inventory: Annotated[Path, typer.Argument(metavar="INVENTORY", help="The customer's file, stacks/NAME.toml.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever finds the host locked reads it.")],
    host: Annotated[str | None, typer.Option(metavar="NAME", help="Which host, when there are several.")] = None,
    user: Annotated[
        str, typer.Option("--as", metavar="USER", help="Who is let in by now; with sudo when it is not root.")
    ] = "root",
    revert: Annotated[
        int, typer.Option(metavar="SECONDS", min=10, max=3600, help="Take it back when nobody gets in for so long.")
    ] = 120,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")] = False,
) -> Answer:
    """Make a bare host what its inventory says, and prove by a second plan that nothing is left to change.

    Interrupted, it is run again. A host that has its operations account already is left to `plan` and `apply`.
    """
    settings = session.settings
    found = load_inventory(inventory, settings.deploy.identity_files)
    chosen = making.the_host(found, host)
    who = Who(vault_wire.actor(), vault_wire.origin())
    memory = Memory(settings.machine.state_dir, found.stack.name)
    terms = Terms(why=why, revert_s=revert, lock_wait_s=session.options.lock_wait_s)
    operator = making.Operator(who, wire.ledger(settings), memory, session.progress)
    made = making.bootstrap(found, chosen, operator, terms, user=user, dry_run=dry_run)
    document = view.bootstrapped(chosen.name, made)
    code = ExitCode.PARTIAL if made.missed else ExitCode.DONE
    return Answer(document, lambda paint: view.bootstrap_text(document, paint), code, report=not dry_run)
