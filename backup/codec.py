"""The archive codec: bytes → zstd → age and back, hashing plain and cipher text on the way.

No plain text touches a disk and memory is flat: the programs do the work, this process looks at the bytes between
them. An archive is opened by `age -d -i IDENTITY | zstd -d`, with no opsctl.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from backup.readback import fresh_chunks
from opsctl.core.errors import AuthError, IntegrityError
from opsctl.core.pipeline import Observer, Sink, Source, Stage, Tap, run_pipeline
from opsctl.core.process import Command, CommandFailedError, Completed, TimedOutError, command
from opsctl.core.secret_file import loaded
from opsctl.core.store import Store, Stored, StoreError, Upload

NO_MATCH = ("no identity matched", "incorrect identity")
_UNUSABLE = re.compile(r'age: error: reading "(.+?)": (.+)')


class UnusableIdentityError(AuthError):
    """This machine has no identity, or one that is none: that says nothing about any archive."""


class Sealed(BaseModel):
    """What an archive holds: size in bytes and SHA-256 of its plain text and of its cipher text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plain_size: int
    plain_sha256: str
    cipher_size: int
    cipher_sha256: str


class Meter:
    """Counts and hashes the bytes that pass."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def __call__(self, chunk: memoryview) -> None:
        self._hash.update(chunk)
        self.size += len(chunk)

    @property
    def sha256(self) -> str:
        """SHA-256 so far, in hexadecimal."""
        return self._hash.hexdigest()


def compress_command(level: int, threads: int) -> Command:
    """Build zstd's words for writing."""
    return command("zstd", "-q", "-c", f"-{level}", f"-T{threads}")


def encrypt_command(recipients: Sequence[str]) -> Command:
    """Build age's words for writing."""
    return command("age", "-e", *(word for recipient in recipients for word in ("-r", recipient)))


def decrypt_command(identity_files: Sequence[Path]) -> Command:
    """Build age's words for reading."""
    return command("age", "-d", *(word for file in identity_files for word in ("-i", str(loaded(file)))))


def seal(
    producer: Sequence[Stage],
    upload: Upload,
    *,
    recipients: Sequence[str],
    level: int,
    threads: int,
    timeout_s: float,
    stall_s: float,
    observe: tuple[Observer, ...] = (),
    advance: Callable[[int], None] = lambda count: None,
) -> tuple[Sealed, list[Completed]]:
    """Run producer → zstd → age → upload; return what was sealed and how each program of the producer ended.

    Nothing is committed: the caller publishes once it knows that the producer told the whole story. `observe` sees the
    plain bytes, `advance` counts them. Raises what `run_pipeline` and the observers raise.
    """
    plain, cipher = Meter(), Meter()
    done = run_pipeline(
        [
            *producer,
            Tap((plain, *observe, lambda chunk: advance(len(chunk)))),
            compress_command(level, threads),
            encrypt_command(recipients),
            Sink(upload.write, (cipher,)),
        ],
        timeout_s=timeout_s,
        stall_s=stall_s,
    )
    sealed = Sealed(
        plain_size=plain.size, plain_sha256=plain.sha256, cipher_size=cipher.size, cipher_sha256=cipher.sha256
    )
    return sealed, done[:-2]


def unseal(
    store: Store,
    key: str,
    expected: Sealed,
    consumer: Sequence[Stage],
    *,
    identity_files: Sequence[Path],
    timeout_s: float,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Completed]:
    """Run store → age → zstd → consumer, and hold both hashes and sizes against `expected`.

    `advance` counts cipher bytes. Raises IntegrityError when the archive is not what was sealed, AuthError when no
    identity opens it, and what `run_pipeline` raises. The consumer must work on something that can be thrown away.
    """
    plain, cipher = Meter(), Meter()
    with store.open(key) as stream:
        try:
            done = run_pipeline(
                [
                    Source(stream, (cipher, lambda chunk: advance(len(chunk)))),
                    decrypt_command(identity_files),
                    command("zstd", "-q", "-d", "-c"),
                    Tap((plain,)),
                    *consumer,
                ],
                timeout_s=timeout_s,
            )
        except CommandFailedError as error:
            raise _explain(error, key, store, identity_files) from error
    found = Sealed(
        plain_size=plain.size, plain_sha256=plain.sha256, cipher_size=cipher.size, cipher_sha256=cipher.sha256
    )
    if found != expected:
        raise IntegrityError(difference(key, expected, found), where=store.where, hint="use another copy of it")
    return done[2:]


def read_back(store: Store, stored: Stored, expected: Sealed, advance: Callable[[int], None] | None = None) -> None:
    """Read a published archive again and compare it with what was sealed. Raises IntegrityError, StoreError."""
    cipher = Meter()
    try:
        with store.open(stored.key) as stream:
            for chunk in fresh_chunks(stream):
                cipher(chunk)
                if advance is not None:
                    advance(len(chunk))
    except OSError as error:
        raise StoreError(
            f"{stored.key} cannot be read back: {error.strerror}", where=store.where, hint="look at the disk: dmesg"
        ) from error
    if (cipher.size, cipher.sha256) != (expected.cipher_size, expected.cipher_sha256):
        raise IntegrityError(
            f"{stored.key} reads back with other bytes than were written",
            where=store.where,
            hint="look at the disk: dmesg, smartctl; nothing that needs this archive was published",
        )


def difference(key: str, expected: Sealed, found: Sealed) -> str:
    """Say how an archive differs from what was sealed."""
    for what, there, here in (
        ("size in bytes", expected.cipher_size, found.cipher_size),
        ("SHA-256", expected.cipher_sha256, found.cipher_sha256),
        ("size in bytes when opened", expected.plain_size, found.plain_size),
        ("SHA-256 when opened", expected.plain_sha256, found.plain_sha256),
    ):
        if there != here:
            return f"{key} is not what was sealed: its {what} is {here}, the manifest says {there}"
    return f"{key} is what was sealed"


def _explain(error: CommandFailedError, key: str, store: Store, identity_files: Sequence[Path]) -> Exception:
    if isinstance(error, TimedOutError):
        return error
    said = error.completed.stderr
    if error.completed.command.program == "age":
        if unusable := _UNUSABLE.search(said):
            return UnusableIdentityError(
                f"this identity cannot be used: {unusable[2]}",
                where=unusable[1],
                hint="put the right one there; to look at all of them: opsctl doctor",
            )
        if any(words in said for words in NO_MATCH):
            tried = ", ".join(str(file) for file in identity_files)
            return AuthError(
                f"none of the given identities ({tried}) opens {key}",
                where=store.where,
                hint="for whom it was encrypted stands in the manifest: opsctl backup show --json",
            )
    if error.completed.command.program in {"age", "zstd"}:
        return IntegrityError(f"{key} cannot be opened: {said.strip()}", where=store.where, hint="use another copy")
    return error
