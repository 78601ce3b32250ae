"""Answers of `opsctl vault`: set-up, imports, verdicts."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures
from opsctl.cli.words import printable
from opsctl.core.verdict import Verdict
from vault.importing.run import Imported
from vault.migrate import Migrated
from vault.verify.archive import ArchiveState
from vault.verify.checkpoints import Published
from vault.verify.lineage import Renewed
from vault.verify.run import Verified

MOST_LINES = 20


class VaultInit(Document):
    """The vault was made, or was there already: the versions of its schema that were there, and those applied now."""

    kind: Literal["vault-init"] = "vault-init"
    before: tuple[int, ...]
    applied: tuple[int, ...]
    newest: int


class VaultMigrate(Document):
    """The vault has the newest schema: the versions that were there, and those applied now."""

    kind: Literal["vault-migrate"] = "vault-migrate"
    before: tuple[int, ...]
    applied: tuple[int, ...]
    newest: int


class UnparsedLine(BaseModel):
    """A line of an export that is in no message, or looks as if it should not be."""

    line: int
    text: str
    why: str


class VaultImport(Document):
    """What an import did; `root` is the RFC 6962 root over the digests of all messages of the export (hexadecimal).

    `unparsed` counts lines; `unparsed_lines` and `media_missing` show the first hundred.
    """

    kind: Literal["vault-import"] = "vault-import"
    chat: str
    import_id: int
    audit_row: int
    resumed: bool
    date_order: str
    parsed: int
    added: int
    unparsed: int
    unparsed_lines: tuple[UnparsedLine, ...]
    media_added: int
    media_missing: int
    media_missing_names: tuple[str, ...]
    media_unnamed: int
    root: str
    attachments_root: str


class ArchiveRow(BaseModel):
    """What was compared with the audit log; `faults` counts all differences, `first_faults` are the first hundred."""

    messages: int
    imports: int
    media: int
    faults: int
    first_faults: tuple[str, ...]


class VaultVerify(Document):
    """The verdict on the audit log. Rows up to `since` had been verified before; `pinned` rows a checkpoint covers."""

    kind: Literal["vault-verify"] = "vault-verify"
    verdict: Verdict
    origin: str
    size: int
    since: int
    pinned: int
    root: str
    broken_at: int | None
    broken: str | None
    newest_checkpoint: int | None
    lost: int | None
    archive: ArchiveRow | None


class VaultCheckpoint(Document):
    """A checkpoint and where it lies; `off_host` says whether any of these places survives the loss of the host."""

    kind: Literal["vault-checkpoint"] = "vault-checkpoint"
    key: str
    size: int
    root: str
    stores: tuple[str, ...]
    off_host: bool


class VaultRenew(Document):
    """A new log that names the old one (hexadecimal), its size, and how many of its rows are lost."""

    kind: Literal["vault-renew"] = "vault-renew"
    verdict: Verdict
    origin: str
    old_log: str
    old_size: int
    lost: int


def migrated_text(done: Migrated, paint: Painter) -> Iterator[str]:
    """Write what was applied."""
    applied = ", ".join(f"{version:04}" for version in done.applied)
    yield f"The vault has schema {done.newest:04}{f'; applied: {applied}' if applied else ', as before'}."


def imported(chat: str, done: Imported) -> VaultImport:
    """Say what an import did."""
    return VaultImport(
        chat=chat,
        import_id=done.import_id,
        audit_row=done.audit_seq,
        resumed=done.resumed,
        date_order=done.order.value,
        parsed=done.parsed,
        added=done.added,
        unparsed=done.unparsed,
        unparsed_lines=tuple(UnparsedLine(line=u.line, text=u.text, why=u.why) for u in done.first_unparsed),
        media_added=done.media_added,
        media_missing=done.media_missing,
        media_missing_names=done.first_missing,
        media_unnamed=done.media_unnamed,
        root=done.root.hex(),
        attachments_root=done.attachments_root.hex(),
    )


def import_text(document: VaultImport, paint: Painter) -> Iterator[str]:
    """Write the figures and the lines that a person should look at."""
    again = " (goes on where an import was interrupted)" if document.resumed else ""
    yield f"{paint(str(document.added), 'bold')} of {document.parsed} messages are new in '{document.chat}'{again}."
    pairs = [
        ("dates", f"read as {document.date_order}"),
        ("media", f"{document.media_added} new, {document.media_missing} missing, {document.media_unnamed} unnamed"),
        ("audit row", str(document.audit_row)),
        ("root", document.root),
    ]
    yield from figures(pairs, paint)
    if document.unparsed:
        yield paint(f"{document.unparsed} lines are kept as they are, in no message or beside it:", "yellow")
        for line in document.unparsed_lines[:MOST_LINES]:
            yield f"  {line.line}: {printable(line.text)[:60]}  ({line.why})"


def verified(found: Verified, compared: ArchiveState | None) -> VaultVerify:
    """The verdict."""
    state = found.state
    return VaultVerify(
        verdict=state.verdict,
        origin=found.origin,
        size=state.size,
        since=found.since,
        pinned=state.pinned,
        root=state.root.hex(),
        broken_at=state.broken.seq if state.broken else None,
        broken=state.broken.what if state.broken else None,
        newest_checkpoint=found.newest.size if found.newest else None,
        lost=found.renewed.lost if found.renewed else None,
        archive=None if compared is None else ArchiveRow(**asdict(compared)),
    )


_STYLES = {Verdict.BROKEN: "red", Verdict.PINNED: "green", Verdict.RESTORED: "green"}


def verify_text(document: VaultVerify, paint: Painter) -> Iterator[str]:
    """Write the verdict and what stands behind it."""
    yield f"The audit log is {paint(document.verdict.value, _STYLES.get(document.verdict, 'yellow'))}."
    read = f"{document.size - document.since} of {document.size}" if document.since else str(document.size)
    pinned = f"the first {document.pinned}, by a checkpoint" if document.pinned else ""
    pairs = [("rows read", read), ("pinned", pinned or "none: without a checkpoint a cut tail cannot be seen")]
    if document.broken:
        pairs.append(("broken", document.broken))
    if document.lost is not None:
        pairs.append(("lost", f"{document.lost} rows of the log before this one"))
    yield from figures([*pairs, ("root", document.root)], paint)
    if document.archive is not None:
        yield from _archive_text(document.archive, paint)


def _archive_text(archive: ArchiveRow, paint: Painter) -> Iterator[str]:
    looked = f"{archive.messages} messages of {archive.imports} imports, and {archive.media} files"
    if not archive.faults:
        yield f"{looked} are {paint('what the log says', 'green')}."
        return
    yield f"{looked} were compared: {paint(f'{archive.faults} differ', 'red')} from what the log says."
    for fault in archive.first_faults[:MOST_LINES]:
        yield f"  {printable(fault)}"


def checkpointed(done: Published, *, off_host: bool) -> VaultCheckpoint:
    """Say what was signed."""
    checkpoint = done.checkpoint
    return VaultCheckpoint(
        key=done.key, size=checkpoint.size, root=checkpoint.root.hex(), stores=done.stores, off_host=off_host
    )


def checkpoint_text(document: VaultCheckpoint, paint: Painter) -> Iterator[str]:
    """Write where it lies."""
    yield f"{document.size} rows are signed: {document.key}"
    for store in document.stores:
        yield f"  in {store}"
    if not document.off_host:
        yield paint("No repository is off the host: who owns the host can replace log and checkpoint alike.", "yellow")


def renewed(verdict: Verdict, origin: str, old: Renewed) -> VaultRenew:
    """Say what the new log names."""
    return VaultRenew(verdict=verdict, origin=origin, old_log=old.old_log.hex(), old_size=old.old_size, lost=old.lost)


def renew_text(document: VaultRenew, paint: Painter) -> Iterator[str]:
    """Write what was kept and what is lost."""
    yield f"A new audit log begins; {document.old_size} rows of the old one are kept, {document.lost} are lost."
    yield "Sign it: opsctl vault checkpoint"
