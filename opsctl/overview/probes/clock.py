"""Probes of the clock: every recovery point is a time, and a clock that is wrong makes each of them a lie."""

from functools import partial

from backup.catalog import Catalog
from opsctl.core.clock import SKEW, iso, utcnow
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.ledger import Ledger
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.process import command
from opsctl.core.runner import Runner

TIMEOUT_S = 20.0
_ASK = ("timedatectl", "show", "--property=NTPSynchronized", "--value")


def clock_probes(ledger: Ledger, catalog: Catalog | None) -> list[Look]:
    """`catalog`: of this machine's first repository, if it has one."""
    return [
        Look("clock.set", "something keeps the clock right", "it is synchronised, as systemd sees it", _synchronised),
        Look(
            "clock.order",
            "the clock is not behind",
            f"nothing is dated more than {SKEW.total_seconds() / 60:g} minutes from now",
            partial(_order, ledger, catalog),
            failing=(IntegrityError,),
        ),
    ]


def _synchronised(host: Runner) -> Seen:
    """In a container, and where systemd does not run, the clock is another machine's to set."""
    try:
        done = host.run(command(*_ASK), timeout_s=TIMEOUT_S)
        if done.ok and done.text() == "yes":
            return good("it is synchronised")
        if not done.ok or host.run(command("systemd-detect-virt", "--container"), timeout_s=TIMEOUT_S).ok:
            return good("it is set from outside: this is a container, or systemd does not run here")
    except OpsError as error:
        return good(f"it is set from outside: {error.message}")
    return bad("nothing keeps this machine's clock right", "timedatectl set-ntp true; then: timedatectl")


def _order(ledger: Ledger, catalog: Catalog | None, host: Runner) -> Seen:
    now = utcnow()
    ahead = next((entry.record() for entry in ledger.query(since=now + SKEW)), None)
    if ahead is not None:
        return _behind(f"a {ahead.kind} in the ledger ended at {iso(ahead.finished)}")
    head = catalog.newest_head() if catalog is not None else None
    if head is not None and head.at > now + SKEW:
        return _behind(f"the repository's newest head is of {iso(head.at)}")
    return good(f"{iso(now.replace(microsecond=0))}, and nothing is dated later")


def _behind(what: str) -> Seen:
    return bad(
        f"{what}, which has not come yet", "this clock is behind, or that one was ahead; look at both: timedatectl"
    )
