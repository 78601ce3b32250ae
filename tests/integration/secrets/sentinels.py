"""Secrets that are searched for: random, each known by its name, in every form in which one may slip out."""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

# Shorter ones would be found by chance.
LEAST = 12


@dataclass
class Sentinels:
    """The secrets by name; what is searched for is made once for each."""

    _forms: dict[str, frozenset[bytes]] = field(default_factory=dict)

    def add(self, name: str, secret: str | bytes) -> None:
        """Take up a secret. Raises AssertionError when it is too short to be found for certain."""
        data = secret.encode() if isinstance(secret, str) else secret
        assert len(data) >= LEAST, f"{name} is too short"
        self._forms[name] = self._forms.get(name, frozenset()) | frozenset(forms(data))

    def add_words(self, name: str, text: str) -> None:
        """Take up the long words of a text: they stay as they are, however their surroundings are quoted."""
        words = [word for word in re.findall(r"[A-Za-z0-9]+", text) if len(word) >= LEAST]
        assert words, f"{name} has no word that could be searched for"
        for word in words:
            self.add(name, word)

    def found_in(self, data: bytes) -> list[str]:
        """The names of the secrets that stand in some bytes."""
        return sorted(name for name, wanted in self._forms.items() if any(form in data for form in wanted))

    def __len__(self) -> int:
        return len(self._forms)


def forms(data: bytes) -> Iterator[bytes]:
    """A secret as it is, and as base64 (also in the middle of something longer), hexadecimal, URL and JSON."""
    yield data
    yield data.hex().encode()
    yield data.hex().upper().encode()
    yield urllib.parse.quote_from_bytes(data, safe="").encode()
    yield json.dumps(data.decode("latin-1")).encode()[1:-1]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data)
        # The first and the last characters depend on what stands beside it.
        inner = encoded[-(-offset * 8 // 6) : len(encoded) - (4 if (offset + len(data)) % 3 else 0)]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def private_bytes(file: Path) -> bytes:
    """The private number of a key file, OpenSSH's or PEM, without what is public in it."""
    data = file.read_bytes()
    load = load_ssh_private_key if b"OPENSSH" in data else load_pem_private_key
    key = load(data, None)
    if isinstance(key, Ed25519PrivateKey):
        return key.private_bytes_raw()
    assert isinstance(key, EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes(32)
