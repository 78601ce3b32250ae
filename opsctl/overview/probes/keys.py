"""Probes of keys: recipients, identities where they may not be, the signing key, this machine's own trust."""

import secrets
import stat
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import pyrage

from backup.catalog import Catalog
from opsctl.core.errors import OpsError
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.machine import TrustSection
from opsctl.core.process import command
from opsctl.core.runner import Runner
from opsctl.core.signing import Namespace, Signer, Verifier

TIMEOUT_S = 20.0
IDENTITY = b"AGE-SECRET-KEY-1"
_BEGINNING = 4096


def recipient_probes(recipients: Sequence[str], keys_recipients: Sequence[str]) -> list[Look]:
    """age accepts the recipients, and the keys archive has its own."""
    return [
        Look(
            f"recipients.{name}",
            f"the recipients of {title} are valid",
            "age accepts each of them",
            partial(_recipients, given),
        )
        for name, title, given in (
            ("data", "the data archives", recipients),
            ("keys", "the keys archive", keys_recipients),
        )
    ]


def _recipients(recipients: Sequence[str], host: Runner) -> Seen:
    for number, recipient in enumerate(recipients, start=1):
        # Nothing on standard input: age 1.2 refuses a file that is read and written.
        done = host.run(command("age", "-e", "-r", recipient, "-o", "/dev/null"), timeout_s=TIMEOUT_S)
        if not done.ok:
            return bad(
                f"age refuses recipient {number}, {recipient[:16]}…",
                "put a recipient of yours into the settings: age-keygen -y IDENTITY",
            )
    return good(f"{len(recipients)} valid")


def no_identity_probe(directories: Iterable[Path], named: Iterable[Path]) -> Look:
    """A host cannot read its own backups: no identity lies among its settings, and none is named by them."""
    return Look(
        "keys.no_identity",
        "no identity lies on this host",
        "nobody who takes this host can read its backups",
        partial(_no_identity, tuple(directories), tuple(named)),
    )


def _no_identity(directories: Sequence[Path], named: Sequence[Path], host: Runner) -> Seen:
    files = [file for file in named if file.exists()]
    for directory in directories:
        files += [file for file in sorted(directory.rglob("*")) if file.is_file() and holds_identity(file)]
    files = list(dict.fromkeys(files))
    if files:
        return bad(
            f"an age identity lies in {files[0]}" + (f" and in {len(files) - 1} more files" if len(files) > 1 else ""),
            f"copy it to the drill host and to a safe, then: shred -u {files[0]}",
        )
    return good("looked through " + ", ".join(str(directory) for directory in directories))


def holds_identity(file: Path) -> bool:
    """Whether a file begins like an age identity file (comments may come first)."""
    with file.open("rb") as stream:
        return IDENTITY in stream.read(_BEGINNING)


def identity_probes(data: Sequence[Path], keys: Sequence[Path]) -> list[Look]:
    """On a drill host: the identities are there, readable by nobody else, and age takes them."""
    return [
        Look(
            f"identities.{name}",
            f"the identities of {title} are usable",
            "files of mode 0600 with age identities",
            partial(_identities, files, setting),
        )
        for name, title, files, setting in (
            ("data", "the data archives", data, "drill.identity_files"),
            ("keys", "the keys archive", keys, "drill.keys_identity_files"),
        )
    ]


def _identities(files: Sequence[Path], setting: str, host: Runner) -> Seen:
    if not files:
        return bad("the settings name none", f"set {setting}; a new one: age-keygen -o FILE")
    for file in files:
        if not file.is_file():
            return bad(f"{file} is not there", f"put the identity there, or change {setting}")
        if open_to_others(file):
            return bad(f"{file} can be read by others", f"chmod 600 {file}")
        lines = [line for line in file.read_text().splitlines() if line.startswith(IDENTITY.decode())]
        if not lines or not all(_is_identity(line.strip()) for line in lines):
            return bad(f"{file} holds no age identity", f"look at it: age-keygen -y {file}")
    return good(", ".join(str(file) for file in files))


def match_probe(data: Sequence[Path], keys: Sequence[Path], catalog: Catalog) -> Look:
    """Whether the identities here are those that the newest backup was encrypted for."""
    return Look(
        "identities.match",
        "the newest backup can be opened here",
        "each of its archives was encrypted for an identity of this machine",
        partial(_match, data, keys, catalog),
    )


def _match(data: Sequence[Path], keys: Sequence[Path], catalog: Catalog, host: Runner) -> Seen:
    ids = catalog.backup_ids()
    if not ids:
        return good("there is no backup yet")
    here = {"data": _recipients_of(data), "keys": _recipients_of(keys)}
    for artefact in catalog.manifest(ids[-1]).artefacts:
        kind = "keys" if artefact.kind == "keys" else "data"
        if not here[kind] & set(artefact.recipients):
            setting = "drill.keys_identity_files" if kind == "keys" else "drill.identity_files"
            return bad(
                f"{artefact.name} of backup {ids[-1]} was encrypted for {', '.join(artefact.recipients)}",
                f"name the file with its identity in {setting}; whose a file is: age-keygen -y FILE",
            )
    return good(ids[-1])


def _recipients_of(files: Sequence[Path]) -> set[str]:
    """The recipients whose identities files hold, as far as they hold any."""
    lines = [line.strip() for file in files if file.is_file() for line in file.read_text().splitlines()]
    return {str(pyrage.x25519.Identity.from_str(line).to_public()) for line in lines if _is_identity(line)}


def _is_identity(line: str) -> bool:
    try:
        pyrage.x25519.Identity.from_str(line)
    except pyrage.IdentityError:
        return False
    return True


def signing_probes(trust: TrustSection) -> list[Look]:
    """This machine can sign, nobody else can read its key, and its own allowed_signers believes it."""
    return [
        Look("keys.signing_key", "the signing key is private", "an Ed25519 key of mode 0600", partial(_key, trust)),
        Look(
            "keys.allowed_signers",
            "this machine's signatures are trusted here",
            f"allowed_signers knows {trust.signer}",
            partial(_trusted, trust),
            failing=(OpsError,),
        ),
    ]


def _key(trust: TrustSection, host: Runner) -> Seen:
    key = trust.signing_key
    if not key.is_file():
        return bad(f"{key} is not there", "opsctl init")
    if open_to_others(key):
        return bad(f"{key} can be read by others", f"chmod 600 {key}")
    done = host.run(command("ssh-keygen", "-l", "-f", key), timeout_s=TIMEOUT_S)
    if not done.ok or "ED25519" not in done.text():
        return bad(f"{key} is no Ed25519 key", f"look at it: ssh-keygen -l -f {key}")
    return good(done.text())


def _trusted(trust: TrustSection, host: Runner) -> Seen:
    text = secrets.token_bytes(16)
    signature = Signer(trust.signing_key).sign(text, Namespace.CHECKPOINT)
    found = Verifier(trust.allowed_signers).verify(text, signature, Namespace.CHECKPOINT, what="a test")
    if found != trust.signer:
        return bad(f"allowed_signers knows this key as {found}", f"set trust.signer to {found}, or correct the file")
    return good(f"signed as {found} and verified")


def open_to_others(file: Path) -> bool:
    """Whether anybody but the owner may read or write a file."""
    return bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
