"""Signatures in OpenSSH's SSHSIG format, made and checked by ssh-keygen, so that no opsctl is needed to check one.

Format: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig. A verifier trusts only the
`allowed_signers` file on its own side, with the validity dates in it; nothing in a repository is ever trusted.
"""

import re
import tempfile
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from opsctl.core.errors import AuthError, IntegrityError
from opsctl.core.process import Command, command, run
from opsctl.core.secret_file import loaded

TIMEOUT_S = 30.0
# A key with a passphrase is refused at once; without this, ssh-keygen would wait for somebody to type it.
_ASK_NOBODY = {"SSH_ASKPASS_REQUIRE": "force", "SSH_ASKPASS": "/bin/false"}
_TRIAL = "opsctl-trial"
_GOOD = re.compile(r'Good "[^"]+" signature for (\S+) with')


# Whom each list of signers named last: mostly the signer of the next, too, and then half the work is enough.
_last: dict[Path, str] = {}


class Namespace(StrEnum):
    """What a signature is for; a signature for one thing is none for another."""

    MANIFEST = "opsctl-manifest"
    SEGMENT = "opsctl-segment"
    DRILL = "opsctl-drill"
    PLAN = "opsctl-plan"
    CHECKPOINT = "opsctl-checkpoint"
    PRUNE = "opsctl-prune"


class SignatureError(IntegrityError):
    """A signature does not hold, or its signer is not trusted (any more, or not yet)."""


class Signer:
    """Signs with a machine's Ed25519 key in OpenSSH form."""

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file

    def check(self) -> None:
        """Sign a few bytes, for nothing, so that hours of work do not end at a key that cannot be used.

        Raises AuthError like `sign`.
        """
        self._sign(b"trial", _TRIAL)

    def sign(self, data: bytes, namespace: Namespace) -> bytes:
        """Return the armored signature of `data`. Raises AuthError when the key is not there, or is none."""
        return self._sign(data, namespace.value)

    def _sign(self, data: bytes, namespace: str) -> bytes:
        key_file = loaded(self.key_file)
        if not key_file.is_file():
            raise AuthError("there is no signing key", where=str(self.key_file), hint="run: opsctl init")
        words = ("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key_file))
        cmd = Command(words, env=_ASK_NOBODY)
        done = run(cmd, timeout_s=TIMEOUT_S, stdin=data, check=False)
        if not done.ok:
            raise AuthError(
                f"the signing key cannot be used: {done.stderr.strip()}",
                where=str(self.key_file),
                hint="put the right one there, without a passphrase; or, for a new one that others have to trust,"
                " move it away, then run: opsctl init",
            )
        return done.stdout


class Verifier:
    """Verifies against an OpenSSH allowed_signers file."""

    def __init__(self, allowed_signers: Path) -> None:
        self.allowed_signers = allowed_signers

    def verify(
        self, data: bytes, signature: bytes, namespace: Namespace, *, what: str, at: datetime | None = None
    ) -> str:
        """Return the name of the signer whose signature of `data` this is.

        `what` names the signed thing in errors. `at` (UTC) is the moment at which the key had to be valid, by default
        now. Raises SignatureError, or AuthError when there is no allowed_signers file.
        """
        if not self.allowed_signers.is_file():
            raise AuthError(
                "there is no list of trusted signers",
                where=str(self.allowed_signers),
                hint="copy the host's line into it: see 'opsctl init' on the host",
            )
        with tempfile.NamedTemporaryFile(prefix="opsctl-", suffix=".sig") as file:
            file.write(signature)
            file.flush()
            return self._check(data, Path(file.name), namespace, what, at)

    def _check(self, data: bytes, signature: Path, namespace: Namespace, what: str, at: datetime | None) -> str:
        when = () if at is None else (f"-Overify-time={at:%Y%m%d%H%M%SZ}",)
        last = _last.get(self.allowed_signers)
        if last is not None and self._is_of(last, data, signature, namespace, when):
            return last
        find = command("ssh-keygen", "-Y", "find-principals", "-f", self.allowed_signers, "-s", signature, *when)
        found = run(find, timeout_s=TIMEOUT_S, check=False)
        principal = found.text().split("\n")[0].strip()
        if found.status != 0 or not principal:
            raise SignatureError(
                f"the signature of {what} is by no signer trusted at that time",
                where=str(self.allowed_signers),
                hint="compare it with the host's key; do not use this data until you know why",
            )
        if not self._is_of(principal, data, signature, namespace, when):
            raise SignatureError(
                f"{what} is not what was signed", where=principal, hint="do not use this data until you know why"
            )
        _last[self.allowed_signers] = principal
        return principal

    def _is_of(self, principal: str, data: bytes, signature: Path, namespace: Namespace, when: tuple[str, ...]) -> bool:
        """Whether `data` was signed by a key that this signer has, for that purpose, at that time."""
        verify = command(
            "ssh-keygen", "-Y", "verify", "-f", self.allowed_signers, "-I", principal, "-n", namespace.value,
            "-s", signature, *when,
        )  # fmt: skip
        done = run(verify, timeout_s=TIMEOUT_S, stdin=data, check=False)
        good = _GOOD.search(done.stdout.decode(errors="replace"))
        return done.status == 0 and good is not None and good.group(1) == principal


def create_key(key_file: Path, comment: str) -> None:
    """Make a new Ed25519 key pair: the private key with mode 0600, the public one beside it as `.pub`."""
    cmd = command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key_file)
    run(cmd, timeout_s=TIMEOUT_S)


def allowed_signers_line(principal: str, public_key: Path | str) -> str:
    """The line that makes others trust this public key, or the one in this file, for opsctl's namespaces only."""
    text = public_key.read_text() if isinstance(public_key, Path) else public_key
    kind, key = text.split()[:2]
    names = ",".join(namespace.value for namespace in Namespace)
    return f'{principal} namespaces="{names}" {kind} {key}\n'
