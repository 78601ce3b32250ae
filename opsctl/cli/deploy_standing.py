"""What was done by `opsctl deploy`: status, unlock for what is in the way, adopt on the host itself."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command
from opsctl.cli.views import deploy_standing as view
from opsctl.core.errors import SettingsError
from opsctl.deploy.adoption import adopt_ended
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.deploy.standing import standings
from opsctl.deploy.standing import unlock as end
from opsctl.overview import vault_wire, wire

InventoryArgument = Annotated[Path, typer.Argument(metavar="INVENTORY", help="The customer's file, stacks/NAME.toml.")]
HostOption = Annotated[list[str] | None, typer.Option("--host", metavar="NAME", help="Only this host. Repeatable.")]
UserOption = Annotated[str | None, typer.Option("--as", metavar="USER", help="Log in as this account.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    for name, function in (("status", status), ("unlock", unlock), ("adopt", adopt)):
        command(app, name)(function)


def status(
    session: Session, *, inventory: InventoryArgument, host: HostOption = None, user: UserOption = None
) -> Answer:
    """Say how deployments of each host stand: the lock, what waits for a confirmation, what was applied last.

    Exits with 4 when a change waits, or was interrupted.
    """
    found = standings(load_inventory(inventory, ()), host or (), user=user)
    document = view.stands(found)
    return Answer(document, lambda paint: view.status_text(document, paint), view.status_code(found))


def unlock(
    session: Session,
    *,
    inventory: InventoryArgument,
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="The host.")],
    confirm: Annotated[str, typer.Option("--confirm", metavar="NAME", help="The host again, to confirm.")],
    user: UserOption = None,
) -> Answer:
    """End what keeps others from changing a host, and take back what it did.

    That is the deployment that holds the lock, the change that waits for a confirmation, and what was interrupted.
    """
    found = load_inventory(inventory, ())
    if confirm != host:
        raise SettingsError(
            f"--confirm names '{confirm}', and this would end what changes '{host}'", hint=f"--confirm {host}"
        )
    who = Who(vault_wire.actor(), vault_wire.origin())
    done = end(found, host, who, wire.ledger(session.settings), user=user)
    document = view.unlocked(host, done)
    return Answer(document, lambda paint: view.unlock_text(document, paint), report=True)


def adopt(session: Session) -> Answer:
    """On a host: write into its own ledger which plans were applied to it, by whom, and what came of them.

    Deployments do that by themselves; what one could not write, the next one does.
    """
    document = view.adopted(adopt_ended(wire.ledger(session.settings)))
    return Answer(document, lambda paint: view.adopt_text(document, paint), report=True)
