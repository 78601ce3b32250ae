"""Makes the keys that a new machine needs: its signing key, whom it believes, and identities to open backups."""

from dataclasses import dataclass
from pathlib import Path

import pyrage

from opsctl.core.clock import iso, utcnow
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.overview.new_files import NewFiles


@dataclass(frozen=True)
class SigningFiles:
    """A machine's signing key and its list of trusted signers."""

    key: Path
    allowed_signers: Path


def make_signing(files: NewFiles, directory: Path, signer: str) -> SigningFiles:
    """Make a signing key and an allowed_signers file that believes it."""
    made = SigningFiles(directory / "signing_key", directory / "allowed_signers")
    files.make(made.key, "this machine's signing key", lambda: create_key(made.key, signer))
    files.write(
        made.allowed_signers,
        "whose signatures count here",
        lambda: allowed_signers_line(signer, made.key.with_name(made.key.name + ".pub")),
    )
    return made


def make_identity(files: NewFiles, path: Path, what: str) -> str:
    """Make an age identity file and return its recipient. What was there before is read, not replaced."""
    identity = pyrage.x25519.Identity.generate()
    text = f"# created: {iso(utcnow().replace(microsecond=0))}\n# public key: {identity.to_public()}\n{identity}\n"
    files.write(path, what, lambda: text, mode=0o600)
    if not path.exists():
        return str(identity.to_public())
    kept = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return str(pyrage.x25519.Identity.from_str(kept[0]).to_public())
