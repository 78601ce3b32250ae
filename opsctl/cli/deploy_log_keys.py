"""`opsctl deploy log-keys`: what hosts need to send their logs off."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command
from opsctl.cli.views import deploy_log_keys as view
from opsctl.deploy.inventory.inventory import load_inventory

InventoryArgument = Annotated[Path, typer.Argument(metavar="INVENTORY", help="The customer's file, stacks/NAME.toml.")]


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    command(app, "log-keys")(log_keys)


def log_keys(session: Session, inventory: InventoryArgument) -> Answer:
    """Make the keys by which hosts send their logs, for each host that has none yet.

    They lie among the inventory's secrets; the next plan brings them to the hosts.
    """
    from opsctl.deploy.log_keys import make_keys

    found = load_inventory(inventory, session.settings.deploy.identity_files)
    document = view.DeployLogKeys(made=make_keys(found), file=found.secrets_file.path)
    return Answer(document, lambda paint: view.text(document, paint), report=True)
