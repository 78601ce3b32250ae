"""Probes of the ledger: what runs have proved on this machine is still what they wrote."""

from functools import partial

from backup.checkpoints import rows
from opsctl.core.ledger import SqliteLedger
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.runner import Runner
from opsctl.core.verdict import Verdict, judge
from opsctl.core.words import counted


def ledger_probe(ledger: SqliteLedger) -> Look:
    """The whole chain is walked; `opsctl ledger verify` holds it against its checkpoints as well."""
    return Look(
        "ledger.chain",
        "the ledger is whole",
        "each record holds the hash of the one before",
        partial(_chain, ledger),
    )


def _chain(ledger: SqliteLedger, host: Runner) -> Seen:
    log_id = ledger.log_id()
    if log_id is None:
        return good("no run has left a record yet")
    state = judge(log_id, rows(ledger), ())
    if state.verdict is Verdict.BROKEN and state.broken is not None:
        return bad(f"record {state.broken.seq}: {state.broken.what}", "opsctl ledger verify")
    return good(counted(state.size, "record"), size=state.size)
