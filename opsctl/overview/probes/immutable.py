"""Whether a hijacked host could harm what lies off it: tried with the host's own credentials, in every way there is."""

from functools import partial

from backup.copies.immutable import try_to_harm
from backup.copies.run import Destination
from opsctl.core.ledger import Ledger
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.runner import Runner
from opsctl.core.store.tamper import AttackableStore

_HINT = (
    "give this machine credentials that may not delete, and lock what it publishes (lock_days): docs/repositories.md"
)


def immutable_probes(destination: Destination, stack: str, ledger: Ledger, *, alone: bool) -> list[Look]:
    """One for a repository elsewhere; none for a directory. `alone`: this machine is a host and nothing else, where no
    credential that deletes belongs."""
    store = destination.store
    if not destination.off_host or not isinstance(store, AttackableStore):
        return []
    return [
        Look(
            f"repository.{destination.name.replace('-', '_')}.immutable",
            f"nothing in '{destination.name}' can be harmed from here",
            "delete, overwrite, truncate and whatever else the protocol offers leave an object as it was",
            partial(_try, destination=destination, store=store, stack=stack, ledger=ledger, alone=alone),
        )
    ]


def _try(
    host: Runner, *, destination: Destination, store: AttackableStore, stack: str, ledger: Ledger, alone: bool
) -> Seen:
    body = try_to_harm(destination, store, stack, ledger).body
    names = ", ".join(attack.name for attack in body.attacks)
    if not body.harmed:
        return good(f"withstood {names}", locked=body.locked)
    harmed = ", ".join(body.harmed)
    if body.locked:
        return bad(f"locked, and yet harmed by: {harmed}", f"the locks of this service do not hold: {_HINT}")
    if "delete" in body.harmed and alone:
        return bad(f"this host may delete there; an object was harmed by: {harmed}", _HINT)
    return good(f"a copy off the host, and no immutable one: harmed by {harmed}")
