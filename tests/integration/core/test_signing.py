"""Signatures by ssh-keygen: what verifies, and everything that must not."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.core.checkpoint import Checkpoint, note, parse_note
from opsctl.core.errors import AuthError, ExitCode
from opsctl.core.process import command, run
from opsctl.core.signing import Namespace, SignatureError, Signer, Verifier, allowed_signers_line, create_key

DATA = b'{"id":"20260501T020000Z-full-1a2b3c4d"}'


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    create_key(tmp_path / "key", "host@acme")
    (tmp_path / "allowed").write_text(allowed_signers_line("host@acme", tmp_path / "key.pub"))
    return Signer(tmp_path / "key")


@pytest.fixture
def verifier(tmp_path: Path) -> Verifier:
    return Verifier(tmp_path / "allowed")


def test_a_signature_names_its_signer(signer: Signer, verifier: Verifier) -> None:
    signature = signer.sign(DATA, Namespace.MANIFEST)
    assert verifier.verify(DATA, signature, Namespace.MANIFEST, what="m") == "host@acme"


def test_signers_who_take_turns_are_told_apart(signer: Signer, verifier: Verifier, tmp_path: Path) -> None:
    create_key(tmp_path / "theirs", "theirs")
    with verifier.allowed_signers.open("a") as file:
        file.write(allowed_signers_line("drill@acme", tmp_path / "theirs.pub"))
    names = {Signer(tmp_path / "theirs"): "drill@acme", signer: "host@acme"}
    for one in [*names, *names]:
        signature = one.sign(b"data", Namespace.MANIFEST)
        assert verifier.verify(b"data", signature, Namespace.MANIFEST, what="it") == names[one]
        with pytest.raises(SignatureError, match="is not what was signed"):
            verifier.verify(b"date", signature, Namespace.MANIFEST, what="it")


def test_changed_data_is_refused(signer: Signer, verifier: Verifier) -> None:
    signature = signer.sign(DATA, Namespace.MANIFEST)
    with pytest.raises(SignatureError, match="m is not what was signed") as caught:
        verifier.verify(DATA + b" ", signature, Namespace.MANIFEST, what="m")
    assert caught.value.exit_code is ExitCode.INTEGRITY


def test_a_signature_for_another_purpose_is_refused(signer: Signer, verifier: Verifier) -> None:
    with pytest.raises(SignatureError):
        verifier.verify(DATA, signer.sign(DATA, Namespace.SEGMENT), Namespace.MANIFEST, what="m")


def test_an_unknown_signer_is_refused(signer: Signer, verifier: Verifier, tmp_path: Path) -> None:
    create_key(tmp_path / "other", "host@acme")
    with pytest.raises(SignatureError, match="by no signer trusted"):
        verifier.verify(DATA, Signer(tmp_path / "other").sign(DATA, Namespace.MANIFEST), Namespace.MANIFEST, what="m")


def test_what_is_no_signature_is_refused(signer: Signer, verifier: Verifier) -> None:
    with pytest.raises(SignatureError):
        verifier.verify(DATA, b"not a signature", Namespace.MANIFEST, what="m")


def test_a_key_counts_only_within_its_dates(signer: Signer, verifier: Verifier) -> None:
    line = verifier.allowed_signers.read_text().replace(" namespaces=", ' valid-before="20260601Z",namespaces=')
    verifier.allowed_signers.write_text(line)
    signature = signer.sign(DATA, Namespace.MANIFEST)
    inside, after = datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)
    assert verifier.verify(DATA, signature, Namespace.MANIFEST, what="m", at=inside) == "host@acme"
    with pytest.raises(SignatureError):
        verifier.verify(DATA, signature, Namespace.MANIFEST, what="m", at=after)


def test_no_list_of_signers_trusts_nobody(signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="no list of trusted signers"):
        Verifier(tmp_path / "none").verify(
            DATA, signer.sign(DATA, Namespace.DRILL), Namespace.DRILL, what="d"
        )  # fmt: skip


def test_a_missing_signing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AuthError) as caught:
        Signer(tmp_path / "none").sign(DATA, Namespace.DRILL)
    assert caught.value.hint == "run: opsctl init"


def test_ssh_keygen_alone_verifies_what_we_sign(signer: Signer, verifier: Verifier, tmp_path: Path) -> None:
    (tmp_path / "sig").write_bytes(signer.sign(DATA, Namespace.MANIFEST))
    words = ["-I", "host@acme", "-n", "opsctl-manifest", "-s", str(tmp_path / "sig")]
    done = run(command("ssh-keygen", "-Y", "verify", "-f", verifier.allowed_signers, *words), timeout_s=10, stdin=DATA)
    assert re.match("Good", done.text())


def test_a_checkpoint_note_reads_back_and_is_signed_for_stock_verifiers(signer: Signer, tmp_path: Path) -> None:
    from base64 import b64decode

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    checkpoint = Checkpoint("opsctl/acme/ledger/00ff", 42, bytes(range(32)), datetime(2026, 5, 1, 2, tzinfo=UTC))
    written = note(checkpoint, signer.key_file, "host@acme")
    assert parse_note(written) == checkpoint
    text, _, signature = written.partition("\n\u2014 host@acme ".encode())
    raw = b64decode(signature)
    blob = b64decode((tmp_path / "key.pub").read_text().split()[1])
    Ed25519PublicKey.from_public_bytes(blob[-32:]).verify(raw[4:], text)
