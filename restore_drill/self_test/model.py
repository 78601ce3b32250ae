"""What all benches of a self-test share: the private copy, opened archives, and keys that nobody else knows."""

import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

import pyrage

from backup.codec import Sealed, unseal
from backup.segment import Head, Segment, parse_head
from opsctl.core.ledger import SqliteLedger
from opsctl.core.pipeline import Sink
from opsctl.core.progress import Silent
from opsctl.core.signing import Signer, allowed_signers_line, create_key
from opsctl.core.store import get
from opsctl.core.store.directory import DirectoryStore
from restore_drill.context import DrillHost
from restore_drill.fetch import identities
from restore_drill.self_test.copy import Copy
from restore_drill.self_test.look import Facts

SIGNER = "self-test"
_EXPIRED = 'valid-before="20000101"'
_OPEN_TIMEOUT_S = 6 * 3600.0


@dataclass(frozen=True)
class Model:
    """`root` is a directory of our own; `host` drills the copy in it, and believes, besides the machine's own allowed
    signers, the key `self-test` and, for the last century, the key `expired`. `facts` are those of the clean drill."""

    root: Path
    host: DrillHost
    copy: Copy
    facts: Facts

    @property
    def store(self) -> DirectoryStore:
        """The private copy."""
        return DirectoryStore(self.root / "copy")

    def signer(self, name: str = SIGNER) -> Signer:
        """Signs with one of the self-test's keys: `self-test`, `expired`, or `stranger`, whom nobody believes."""
        return Signer(self.root / "keys" / name)

    @property
    def stranger(self) -> str:
        """An age recipient whose identity nobody has."""
        return (self.root / "keys" / "recipient").read_text()

    @property
    def heads(self) -> tuple[Head, ...]:
        """The copied heads, the newest first."""
        return tuple(parse_head(get(self.store, key), key) for key in self.copy.heads)

    def plain(self, name: str, link: int = -1) -> Path:
        """An artefact of the backup, or of another `link` of its chain, opened: mbstream, tar archive or list."""
        manifest = self.copy.chain[link]
        artefact = manifest.artefact(name)
        return self._opened(f"{name} of {manifest.id}", artefact.key, artefact.sealed, artefact.kind)

    def plain_segment(self, segment: Segment) -> Path:
        """A segment, opened: a binary log."""
        return self._opened(f"segment-{segment.number}", segment.key, segment.sealed, "binary log")

    def _opened(self, name: str, key: str, sealed: Sealed, kind: str) -> Path:
        """Open once for all faults; another process may do the same meanwhile, and either's file will do."""
        place = self.root / "plain" / name
        if not place.exists():
            fresh = place.with_name(f".{name}.{secrets.token_hex(4)}")
            given = identities(self.host, kind)
            with fresh.open("wb") as file:
                unseal(self.store, key, sealed, [Sink(file.write)], identity_files=given, timeout_s=_OPEN_TIMEOUT_S)
            fresh.rename(place)
        return place


def scratch_host(host: DrillHost, root: Path) -> DrillHost:
    """Lay out `root` and return a drill host that works on the copy below it, with keys made there.

    Nothing of it is this machine's but the identities and the real allowed signers, which are read.
    """
    root.mkdir(mode=0o711)
    for name in ("keys", "plain", "benches", "state"):
        (root / name).mkdir(mode=0o700)
    (root / "scratch").mkdir(mode=0o711)
    os.chmod(root / "scratch", 0o711)  # noqa: S103 - the sandbox's user passes through, whatever the umask is
    os.chmod(root, 0o711)  # noqa: S103 - likewise
    for name in (SIGNER, "expired", "stranger"):
        create_key(root / "keys" / name, name)
    (root / "keys" / "recipient").write_text(str(pyrage.x25519.Identity.generate().to_public()))
    allowed = root / "keys" / "allowed_signers"
    own = allowed_signers_line(SIGNER, root / "keys" / f"{SIGNER}.pub")
    expired = allowed_signers_line("expired", root / "keys" / "expired.pub").replace(" ", f" {_EXPIRED},", 1)
    allowed.write_text(f"{host.trust.allowed_signers.read_text()}\n{own}{expired}")
    trust = {"signer": SIGNER, "signing_key": root / "keys" / SIGNER, "allowed_signers": allowed}
    return replace(
        host,
        store=DirectoryStore(root / "copy"),
        drill=host.drill.model_copy(update={"scratch_dir": root / "scratch"}),
        machine=host.machine.model_copy(update={"state_dir": root / "state", "lock_dir": root / "state"}),
        trust=host.trust.model_copy(update=trust),
        ledger=SqliteLedger(root / "state" / "ledger.sqlite"),
        progress=Silent(),
    )
