"""Checkpoints of the ledger in a repository: what pins its tail once the repository is out of the writer's reach."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backup.layout import SIGNATURE, checkpoints
from opsctl.core import chain
from opsctl.core.checkpoint import Checkpoint, note, origin_of, parse_note
from opsctl.core.clock import compact, new_id, utcnow
from opsctl.core.errors import ExitCode, OpsError
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import TrustSection
from opsctl.core.merkle import Tree
from opsctl.core.signing import Namespace, Signer, Verifier
from opsctl.core.store import Store, get, put
from opsctl.core.verdict import LogState, judge

NOTE = ".note"
LOG = "ledger"


@dataclass(frozen=True)
class Note:
    """A checkpoint as it lies in a repository; who signed it has not been looked at."""

    key: str
    data: bytes
    checkpoint: Checkpoint


def publish_checkpoint(store: Store, stack: str, ledger: SqliteLedger, trust: TrustSection) -> str | None:
    """Sign a statement of the ledger's size and root and publish it; return its key, or None for an empty ledger.

    The signature lies beside it and covers the whole note, so that
    `ssh-keygen -Y verify -n opsctl-checkpoint … < NOTE` checks it.
    """
    log_id = ledger.log_id()
    if log_id is None:
        return None
    tree = Tree()
    for row in rows(ledger):
        tree.append(row.row_hash)
    at = utcnow()
    data = note(Checkpoint(origin_of(log_id, stack, LOG), tree.size, tree.root(), at), trust.signing_key, trust.signer)
    key = f"{checkpoints(stack)}{compact(at)}-{LOG}-{new_id()}{NOTE}"
    put(store, key + SIGNATURE, Signer(trust.signing_key).sign(data, Namespace.CHECKPOINT))
    put(store, key, data)
    return key


def verify_ledger(ledger: SqliteLedger, store: Store, stack: str, verifier: Verifier) -> LogState:
    """Walk the ledger and hold it against the checkpoints of it that trusted signers left in the repository.

    Raises OpsError when there is no ledger, SignatureError when a checkpoint that matters is signed by nobody trusted.
    """
    log_id = ledger.log_id()
    if log_id is None:
        raise OpsError(
            "there is no ledger on this machine yet",
            where=str(ledger.path),
            hint="the first backup, shipment or drill makes it",
            exit_code=ExitCode.PARTIAL,
        )
    notes = _notes(store, stack, origin_of(log_id, stack, LOG))
    return judge(log_id, rows(ledger), trusted_checkpoints(store, verifier, _telling(ledger, notes)))


def trusted_checkpoints(store: Store, verifier: Verifier, notes: Sequence[Note]) -> list[Checkpoint]:
    """Verify the signatures of notes. Raises SignatureError, MissingError."""
    for found in notes:
        signature = get(store, found.key + SIGNATURE)
        verifier.verify(found.data, signature, Namespace.CHECKPOINT, what=found.key, at=found.checkpoint.at)
    return [found.checkpoint for found in notes]


def rows(ledger: SqliteLedger) -> Iterator[chain.Row]:
    """The ledger's rows as the chain sees them."""
    return (chain.Row(entry.seq, entry.prev_hash, entry.payload, entry.row_hash) for entry in ledger.query())


def _notes(store: Store, stack: str, origin: str) -> list[Note]:
    """Everything that claims to be a checkpoint of this log; the same stack has those of other machines' ledgers."""
    keys = [item.key for item in store.list(checkpoints(stack), ending=NOTE)]
    notes = [Note(key, data, parse_note(data)) for key in keys if (data := get(store, key))]
    return [found for found in notes if found.checkpoint.origin == origin]


def _telling(ledger: SqliteLedger, notes: Sequence[Note]) -> list[Note]:
    """The notes whose signatures matter: all that disagree with the ledger, and the newest that agrees.

    A year of shipments leaves thousands; those that agree prove nothing that the newest does not.
    """
    sizes = {found.checkpoint.size for found in notes}
    roots = {}
    tree = Tree()
    if 0 in sizes:
        roots[0] = tree.root()
    for row in rows(ledger):
        tree.append(row.row_hash)
        if tree.size in sizes:
            roots[tree.size] = tree.root()
    agreeing = [found for found in notes if roots.get(found.checkpoint.size) == found.checkpoint.root]
    newest = max(agreeing, key=lambda found: (found.checkpoint.size, found.checkpoint.at), default=None)
    return [found for found in notes if found is newest or found not in agreeing]
