"""`opsctl deploy secret`: the secrets beside an inventory."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import deploy_secret as view
from opsctl.core.errors import ExitCode, SettingsError
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.secret_uses import uses_of
from opsctl.deploy.secrets import checked_name, value_of

app = new_group("Keep the secrets of an inventory, encrypted beside it.")

InventoryArgument = Annotated[Path, typer.Argument(metavar="INVENTORY", help="The customer's file, stacks/NAME.toml.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The secret's name.")]


@command(app, "set")
def set_secret(session: Session, inventory: InventoryArgument, name: NameArgument) -> Answer:
    """Keep what comes on standard input as a secret; another one of that name is replaced."""
    found = load_inventory(inventory, session.settings.deploy.identity_files)
    checked_name(name)
    if sys.stdin.isatty():
        raise SettingsError(
            "a secret that is typed stays on the screen",
            hint=f"send it: opsctl deploy secret set {inventory} {name} <FILE",
        )
    new = found.secrets_file.set(name, value_of(sys.stdin.buffer.read()))
    document = view.DeploySecret(name=name, result="added" if new else "replaced", file=found.secrets_file.path)
    return Answer(document, lambda paint: view.secret_text(document, paint), report=True)


@command(app, "list")
def list_secrets(session: Session, inventory: InventoryArgument) -> Answer:
    """Show the names of all secrets, and what uses them; a use without its secret exits with 4."""
    found = load_inventory(inventory, session.settings.deploy.identity_files)
    names = found.secrets_file.names()
    document = view.listed(names, uses_of(found, names))
    missing = any(not each.there for each in document.secrets)
    code = ExitCode.FINDINGS if missing else ExitCode.DONE
    return Answer(document, lambda paint: view.list_text(document, inventory, paint), code)


@command(app, "remove")
def remove_secret(
    session: Session,
    *,
    inventory: InventoryArgument,
    name: NameArgument,
    confirm: Annotated[str, typer.Option(metavar="NAME", help="The same name again.")],
) -> Answer:
    """Forget a secret that nothing uses any more."""
    found = load_inventory(inventory, session.settings.deploy.identity_files)
    if confirm != name:
        raise SettingsError(f"'{confirm}' is not '{name}'", hint=f"--confirm {name}")
    if uses := uses_of(found, found.secrets_file.names()).get(name):
        raise SettingsError(
            f"the secret '{name}' is used: {', '.join(uses)}", where=str(inventory), hint="take it out there first"
        )
    found.secrets_file.remove(name)
    document = view.DeploySecret(name=name, result="removed", file=found.secrets_file.path)
    return Answer(document, lambda paint: view.secret_text(document, paint), report=True)
