"""Checkpoints of the audit log: signed, kept off the machine, and enough to go on verifying from.

Beside a checkpoint (opsctl/core/checkpoint.py) lies its *edge*: the nodes of the log's tree at that size and the hash
of the last row, signed as well. With it, verification starts where the checkpoint is and reads only newer rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from opsctl.core.canonical import canonical, parse_versioned
from opsctl.core.checkpoint import Checkpoint, note, origin_of, parse_note
from opsctl.core.clock import compact, new_id, utcnow
from opsctl.core.errors import IntegrityError
from opsctl.core.machine import TrustSection
from opsctl.core.merkle import Tree
from opsctl.core.signing import Namespace, Signer, Verifier
from opsctl.core.store import Store, get, put
from vault.verify.walk import Walked

LOG = "vault"
NOTE = ".note"
EDGE = ".edge"
SIGNATURE = ".sig"


class Edge(BaseModel):
    """Where a log's tree stood: hashes in hexadecimal, the largest subtree first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    origin: str
    size: int
    nodes: tuple[str, ...]
    last: str


@dataclass(frozen=True)
class Note:
    """A checkpoint as it lies in a store; who signed it has not been looked at."""

    store: Store
    key: str
    data: bytes
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Custody:
    """Where checkpoints of a stack's logs lie, and whose signatures count."""

    stack: str
    stores: Sequence[Store]
    verifier: Verifier

    def origin(self, log_id: bytes) -> str:
        """The name of a log of this stack in its checkpoints."""
        return origin_of(log_id, self.stack, LOG)

    def notes(self, log_id: bytes) -> list[Note]:
        """Everything in the stores that claims to be a checkpoint of this log, smallest log first."""
        return [note for note in self.all_notes() if note.checkpoint.origin == self.origin(log_id)]

    def all_notes(self) -> list[Note]:
        """The same of every audit log that this stack ever had."""
        found: dict[tuple[str, bytes], Note] = {}
        for store in self.stores:
            for item in store.list(prefix(self.stack)):
                if item.key.endswith(NOTE) and f"-{LOG}-" in item.key:
                    data = get(store, item.key)
                    found.setdefault((item.key, data), Note(store, item.key, data, parse_note(data)))
        return sorted(found.values(), key=lambda each: (each.checkpoint.size, each.checkpoint.at))


@dataclass(frozen=True)
class Published:
    """A checkpoint's key, and the stores that have it now."""

    key: str
    checkpoint: Checkpoint
    stores: tuple[str, ...]


def prefix(stack: str) -> str:
    """Where checkpoints of a stack lie."""
    return f"{stack}/checkpoints/"


def publish(stores: Sequence[Store], stack: str, origin: str, walked: Walked, trust: TrustSection) -> Published:
    """Sign where the log stands and put it into every store; the note comes last, so that it is there with its edge."""
    at = utcnow()
    checkpoint = Checkpoint(origin, walked.tree.size, walked.tree.root(), at)
    data = note(checkpoint, trust.signing_key, trust.signer)
    nodes = tuple(node.hex() for node in walked.tree.edge)
    edge = canonical(Edge(origin=origin, size=walked.tree.size, nodes=nodes, last=walked.last.hex()))
    signer = Signer(trust.signing_key)
    base = f"{prefix(stack)}{compact(at)}-{LOG}-{new_id()}"
    objects = {
        base + EDGE + SIGNATURE: signer.sign(edge, Namespace.CHECKPOINT),
        base + EDGE: edge,
        base + NOTE + SIGNATURE: signer.sign(data, Namespace.CHECKPOINT),
        base + NOTE: data,
    }
    for store in stores:
        for key, content in objects.items():
            put(store, key, content)
    return Published(base + NOTE, checkpoint, tuple(store.where for store in stores))


def check_signature(verifier: Verifier, found: Note) -> str:
    """Who signed a checkpoint. Raises SignatureError."""
    signature = get(found.store, found.key + SIGNATURE)
    return verifier.verify(
        found.data, signature, Namespace.CHECKPOINT, what=found.key, at=found.checkpoint.at
    )  # fmt: skip


def resume(verifier: Verifier, found: Note) -> Walked:
    """Where verification goes on from a checkpoint. Raises SignatureError, IntegrityError."""
    check_signature(verifier, found)
    key = found.key.removesuffix(NOTE) + EDGE
    data = get(found.store, key)
    verifier.verify(
        data, get(found.store, key + SIGNATURE), Namespace.CHECKPOINT, what=key, at=found.checkpoint.at
    )  # fmt: skip
    edge = parse_versioned(Edge, data, what=key, version=1)
    try:
        tree = Tree.grown(edge.size, [bytes.fromhex(node) for node in edge.nodes])
    except ValueError as error:
        raise IntegrityError(f"{key} is no edge of a tree: {error}") from error
    if (edge.origin, tree.size, tree.root()) != (
        found.checkpoint.origin, found.checkpoint.size, found.checkpoint.root,
    ):  # fmt: skip
        raise IntegrityError(f"{key} does not belong to its checkpoint", where=found.store.where)
    return Walked(tree=tree, last=bytes.fromhex(edge.last))
