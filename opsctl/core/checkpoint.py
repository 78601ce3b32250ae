"""Checkpoints: signed statements of a log's size and root, kept off the machine that writes the log.

Format: C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint), a signed note (https://c2sp.org/signed-note) with the
origin, the number of rows, the RFC 6962 root over the row hashes, and as extension lines the time. Beside it lies an
SSHSIG signature of the note's text, so that ssh-keygen alone can check it.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opsctl.core.clock import iso, parse_instant
from opsctl.core.errors import AuthError, IntegrityError
from opsctl.core.secret_file import loaded

_ED25519 = b"\x01"
_NOTE = re.compile(r"([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\ntime ([^\n]+)\n\n((?:\u2014 [^\n]+\n)+)")


@dataclass(frozen=True)
class Checkpoint:
    """A log (`origin` names it), its number of rows, the root over them, and when that was so (UTC)."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def text(self) -> bytes:
        """The text that is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\ntime {iso(self.at)}\n".encode()


def origin_of(log_id: bytes, stack: str, log: str) -> str:
    """The name of a log in its checkpoints, such as `opsctl/acme/ledger/0123…`."""
    return f"opsctl/{stack}/{log}/{log_id.hex()}"


def note(checkpoint: Checkpoint, key_file: Path, signer: str) -> bytes:
    """Write a checkpoint as a note signed with the machine's Ed25519 key. Raises AuthError for an unusable key."""
    try:
        key = serialization.load_ssh_private_key(loaded(key_file).read_bytes(), None)
    except (OSError, ValueError) as error:
        raise AuthError(
            f"the signing key cannot be read: {error}", where=str(key_file), hint="run: opsctl init"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise AuthError("the signing key is no Ed25519 key", where=str(key_file))
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    text = checkpoint.text()
    signature = base64.b64encode(key_id(signer, public) + key.sign(text)).decode()
    return text + f"\n\u2014 {signer} {signature}\n".encode()


def key_id(signer: str, public: bytes) -> bytes:
    """The first four bytes of SHA-256(name, newline, type, key), by the definition of signed notes."""
    return hashlib.sha256(signer.encode() + b"\n" + _ED25519 + public).digest()[:4]


def parse_note(data: bytes) -> Checkpoint:
    """Read a note. Its signatures are not looked at here: trust is the SSHSIG file's, by `allowed_signers`."""
    match = _NOTE.fullmatch(data.decode(errors="replace"))
    if match is None:
        raise IntegrityError("this is no checkpoint of a format that is known")
    origin, size, root, at, _ = match.groups()
    return Checkpoint(origin, int(size), base64.b64decode(root), parse_instant(at))
