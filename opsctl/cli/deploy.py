"""`opsctl deploy`: what would change on a customer's hosts, and the change itself."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import deploy as view
from opsctl.core.errors import ExitCode
from opsctl.deploy import run as deploying
from opsctl.deploy.drift import Memory
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.overview import vault_wire, wire

app = new_group("Plan and make changes of a customer's hosts, all of a host or none.")

InventoryArgument = Annotated[Path, typer.Argument(metavar="INVENTORY", help="The customer's file, stacks/NAME.toml.")]
HostOption = Annotated[list[str] | None, typer.Option("--host", metavar="NAME", help="Only this host. Repeatable.")]


@command(app, "plan")
def plan(
    session: Session,
    *,
    inventory: InventoryArgument,
    host: HostOption = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the plans there, signed, for apply.")] = None,
    user: Annotated[
        str | None, typer.Option("--as", metavar="USER", help="Log in as this account: root, for a bare host.")
    ] = None,
    by_exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 4 when something would change.")] = False,
) -> Answer:
    """Show what would change on each host; nothing is changed."""
    found = load_inventory(inventory)
    seen = deploying.plan_hosts(found, host or (), _who(), user=user)
    files = [deploying.save(each.plan, out, session.settings.trust) for each in seen if each.plan and out is not None]
    document = view.planned(seen, files)
    code = ExitCode.DONE
    if by_exit_code and any(each.plan and each.plan.changes for each in seen):
        code = ExitCode.FINDINGS
    if errors := [each.error for each in seen if each.error is not None]:
        code = errors[0].exit_code if len(errors) == len(seen) else ExitCode.PARTIAL
    return Answer(document, lambda paint: view.plan_text(document, paint), code)


@command(app, "apply")
def apply(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan that `deploy plan --out` has kept.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever finds the host locked reads it.")] = "",
    revert: Annotated[
        int, typer.Option(metavar="SECONDS", min=10, max=3600, help="Take it back when nobody gets in for so long.")
    ] = 120,
) -> Answer:
    """Make the changes of a plan, all or none; a plan of a host that has changed since is refused."""
    settings = session.settings
    found = deploying.read(file, wire.verifier(settings))
    session.progress.step(f"Changing {found.target.host}")
    memory = Memory(settings.machine.state_dir, found.stack)
    came = deploying.apply(found, wire.ledger(settings), memory, _who(), why=why, revert_s=revert)
    document = view.applied(found, came)
    code = ExitCode.PARTIAL if came.missed else ExitCode.DONE
    return Answer(document, lambda paint: view.apply_text(document, paint), code, report=True)


@command(app, "drift")
def drift(
    session: Session,
    *,
    inventory: InventoryArgument,
    host: HostOption = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="What is there now, beside what a plan names, is right from now on.")
    ] = False,
) -> Answer:
    """Find what is no longer as it was deployed: files, accounts, keys, units, ports, packages, the firewall."""
    settings = session.settings
    found = load_inventory(inventory)
    memory = Memory(settings.machine.state_dir, found.stack.name)
    seen = deploying.look_for_drift(found, host or (), _who(), wire.ledger(settings), memory, accept=accept)
    document = view.drifted(seen)
    return Answer(document, lambda paint: view.drift_text(document, paint), view.drift_code(seen))


def _who() -> deploying.Who:
    return deploying.Who(vault_wire.actor(), vault_wire.origin())
