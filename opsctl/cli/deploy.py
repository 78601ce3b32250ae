"""`opsctl deploy`: what would change on a customer's hosts, and the change itself."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli import (
    deploy_bootstrap,
    deploy_log_keys,
    deploy_release,
    deploy_restore,
    deploy_secret,
    deploy_standing,
)
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import deploy as view
from opsctl.core.errors import ExitCode
from opsctl.deploy import run as deploying
from opsctl.deploy.application import Terms, apply_all
from opsctl.deploy.drift import Memory
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
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
    found = load_inventory(inventory, session.settings.deploy.identity_files)
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
    files: Annotated[list[Path], typer.Argument(metavar="PLAN...", help="Plans that `deploy plan --out` has kept.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever finds the host locked reads it.")] = "",
    revert: Annotated[
        int, typer.Option(metavar="SECONDS", min=10, max=3600, help="Take it back when nobody gets in for so long.")
    ] = 120,
) -> Answer:
    """Make the changes of plans, all or none of each; a plan of a host that has changed since is refused.

    Hosts are changed at the same time; what fails on one leaves the others alone.
    """
    settings = session.settings
    kept = [deploying.read(file, wire.verifier(settings)) for file in files]
    plans = [deploying.with_secrets(plan, settings.deploy.identity_files) for plan in kept]
    session.progress.step(f"Changing {', '.join(plan.target.host for plan in plans)}")
    terms = Terms(why=why, revert_s=revert, lock_wait_s=session.options.lock_wait_s)
    done = apply_all(plans, wire.ledger(settings), settings.machine.state_dir, _who(), terms)
    if len(done) == 1 and done[0].error is not None:
        raise done[0].error
    document = view.applied(done)
    return Answer(document, lambda paint: view.apply_text(document, paint), view.apply_code(done), report=True)


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
    found = load_inventory(inventory, session.settings.deploy.identity_files)
    memory = Memory(settings.machine.state_dir, found.stack.name)
    seen = deploying.look_for_drift(found, host or (), _who(), wire.ledger(settings), memory, accept=accept)
    document = view.drifted(seen)
    return Answer(document, lambda paint: view.drift_text(document, paint), view.drift_code(seen))


def _who() -> Who:
    return Who(vault_wire.actor(), vault_wire.origin())


deploy_bootstrap.register(app)
deploy_release.register(app)
deploy_restore.register(app)
deploy_standing.register(app)
deploy_log_keys.register(app)
app.add_typer(deploy_secret.app, name="secret")
