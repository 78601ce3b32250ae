"""Proofs that one row is in a log that a checkpoint has signed, for people who have neither the log nor opsctl.

A proof holds the row, the nodes of its audit path (RFC 6962, 2.1.1) and the checkpoint with its signature. What checks
it without opsctl is offline.py, which needs Python's standard library and ssh-keygen.
"""

import base64
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core import chain
from opsctl.core.canonical import parse_versioned
from opsctl.core.checkpoint import parse_note
from opsctl.core.errors import IntegrityError, OpsError, SettingsError
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.merkle import Sibling, Tree, root_from_path, siblings
from opsctl.core.signing import Namespace, Verifier
from opsctl.core.store import get
from vault import audit
from vault.verify.checkpoints import SIGNATURE, Custody, Note
from vault.verify.rows import prepare
from vault.verify.walk import Connect

HASHES = 1 << 17
CHECKER = "check_proof.py"


class Proof(BaseModel):
    """A row and all that proves it. Hashes are hexadecimal, the payload base64; `path` goes from the leaf up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    kind: Literal["vault-proof"] = "vault-proof"
    log_id: str
    seq: int
    prev_hash: str
    payload: str
    path: tuple[str, ...]
    note: str
    signature: str


class Proven(BaseModel):
    """What a proof shows: this payload was row `seq` of the log `origin` when `signer` signed `size` rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str
    seq: int
    payload: str
    size: int
    at: str
    signer: str


def prove(connect: Connect, custody: Custody, seq: int) -> Proof:
    """Prove a row by the newest checkpoint. Raises SettingsError when none covers it, IntegrityError."""
    with connect() as connection:
        log_id = audit.log_id(connection)
        found = list(audit.read(connection, first=seq, last=seq))
        if log_id is None or not found:
            raise SettingsError(f"the log has no row {seq}", hint="opsctl vault log")
        note = _covering(custody, log_id, seq)
        prepare(connection)
        path = tuple(_node(connection, place).hex() for place in siblings(seq - 1, note.checkpoint.size))
    row = found[0]
    proof = Proof(
        log_id=log_id.hex(),
        seq=seq,
        prev_hash=row.prev_hash.hex(),
        payload=base64.b64encode(row.payload).decode(),
        path=path,
        note=note.data.decode(),
        signature=get(note.store, note.key + SIGNATURE).decode(),
    )
    check(proof, custody.verifier)
    return proof


def read_proof(data: bytes) -> Proof:
    """Read a proof's JSON. Raises IntegrityError."""
    return parse_versioned(Proof, data, what="the proof", version=1)


def check(proof: Proof, verifier: Verifier) -> Proven:
    """Check a proof. Raises IntegrityError when it proves nothing, SignatureError when nobody trusted signed it."""
    note = parse_note(proof.note.encode())
    try:
        payload = base64.b64decode(proof.payload, validate=True)
        log_id, prev_hash = bytes.fromhex(proof.log_id), bytes.fromhex(proof.prev_hash)
        row = chain.row_hash(log_id, proof.seq, prev_hash, payload)
        path = [bytes.fromhex(node) for node in proof.path]
        root = root_from_path(row, proof.seq - 1, note.size, path)
    except ValueError as error:
        raise IntegrityError(f"the proof cannot be read: {error}") from error
    if root != note.root or not note.origin.endswith(f"/{proof.log_id}"):
        raise IntegrityError(f"the proof does not hold: row {proof.seq} is not in the log that was signed")
    signer = verifier.verify(
        proof.note.encode(), proof.signature.encode(), Namespace.CHECKPOINT, what="the checkpoint", at=note.at
    )
    return Proven(
        origin=note.origin,
        seq=proof.seq,
        payload=payload.decode(errors="replace"),
        size=note.size,
        at=note.at.isoformat(),
        signer=signer,
    )


def _covering(custody: Custody, log_id: bytes, seq: int) -> Note:
    notes = [note for note in custody.notes(log_id) if note.checkpoint.size >= seq]
    if not notes:
        raise SettingsError(f"no checkpoint covers row {seq} yet", hint="opsctl vault checkpoint")
    return notes[-1]


def _node(connection: Connection, place: Sibling) -> bytes:
    """The root over the row hashes of some leaves."""
    tree = Tree()
    statement = "SELECT GROUP_CONCAT(row_hash ORDER BY seq SEPARATOR '') FROM audit WHERE seq BETWEEN %s AND %s"
    for first in range(place.first + 1, place.end + 1, HASHES):
        last = min(first + HASHES - 1, place.end)
        data = bytes(rows(connection, statement, first, last)[0][0] or b"")
        if len(data) != 32 * (last - first + 1):
            raise OpsError(f"rows {first} to {last} are not all there", hint="opsctl vault verify --full")
        for start in range(0, len(data), 32):
            tree.append(data[start : start + 32])
    return tree.root()


def write_proof(proof: Proof, file: Path) -> Path:
    """Write a proof, and beside it the program that checks proofs without opsctl; return the program's path."""
    file.write_text(proof.model_dump_json() + "\n", encoding="utf-8")
    checker = file.parent / CHECKER
    checker.write_bytes(files("vault.verify").joinpath("offline.py").read_bytes())
    return checker
