"""Signs as ssh-keygen does, in this process, for tests with thousands of documents. Format: PROTOCOL.sshsig."""

import base64
import functools
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opsctl.core.signing import Namespace, Signer

_MAGIC = b"SSHSIG"
_WIDTH = 70


class FastSigner(Signer):
    """A Signer that starts no program."""

    def sign(self, data: bytes, namespace: Namespace) -> bytes:
        """The armored signature of `data`."""
        key = _private_key(self.key_file)
        name, digest = namespace.value.encode(), hashlib.sha512(data).digest()
        signed = _MAGIC + _strings(name, b"", b"sha512", digest)
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        signature = _strings(b"ssh-ed25519", key.sign(signed))
        blob = _MAGIC + (1).to_bytes(4) + _strings(_strings(b"ssh-ed25519", public), name, b"", b"sha512", signature)
        text = base64.b64encode(blob).decode()
        lines = [text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)]
        return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]).encode()


@functools.cache
def _private_key(file: Path) -> Ed25519PrivateKey:
    key = serialization.load_ssh_private_key(file.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _strings(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(4) + value for value in values)
