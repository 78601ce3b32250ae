"""`backup verify`: whether a backup in a repository is still what was signed; nothing is decrypted for it."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import timedelta

from backup import layout
from backup.catalog import Catalog
from backup.chain import ChainError, archives_of, parents_of
from backup.codec import Sealed, read_back
from backup.layout import SIGNATURE
from backup.logical.catalog import read_export
from backup.logical.records import EXPORT_VERIFICATION
from backup.manifest import Manifest
from backup.records import VERIFICATION, VERIFICATION_VERSION, VerificationBody
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError, OpsError, UnreachableError
from opsctl.core.ledger import Ledger
from opsctl.core.progress import Progress
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.store import StoreError

FRESH = timedelta(days=7)


@dataclass(frozen=True)
class Claim:
    """What a signed document says that there is: the document's key, and the archives with what each holds.

    `problem` says why what it stands on cannot be known.
    """

    document: str
    prefix: str
    archives: tuple[tuple[str, Sealed], ...]
    problem: str | None = None


def verify_backup(
    catalog: Catalog, backup_id: str, *, ledger: Ledger, progress: Progress, read: Container[str] = ()
) -> Record[VerificationBody]:
    """Verify the manifest's signature, and the presence, size and hash of every archive, and that nothing is extra.

    So are its parents' manifests and databases, without which an incremental backup is nothing. Everything is looked
    at, whatever is wrong; the record of it, which is returned, is in the ledger then. It could not run when the store
    does not answer. `read` are archives that were read and found good a moment ago.
    """

    def claim() -> Claim:
        manifest, problem = catalog.manifest(backup_id), None
        chain: tuple[Manifest, ...] = (manifest,)
        try:
            chain = parents_of(catalog, manifest)
        except ChainError as error:
            problem = str(error)
        archives = tuple((artefact.key, artefact.sealed) for artefact in archives_of(chain).values())
        key = layout.manifest(catalog.stack, backup_id)
        return Claim(key, layout.backup(catalog.stack, backup_id), archives, problem)

    record = _verify(catalog, backup_id, VERIFICATION, claim, progress=progress, read=read)
    ledger.append(record)
    return record


def verify_export(
    catalog: Catalog, export_id: str, *, ledger: Ledger, progress: Progress, read: Container[str] = ()
) -> Record[VerificationBody]:
    """The same for a logical export."""

    def claim() -> Claim:
        export = read_export(catalog, export_id)
        archives = tuple((dump.key, dump.sealed) for dump in export.dumps)
        key = layout.export_document(catalog.stack, export_id)
        return Claim(key, layout.export(catalog.stack, export_id), archives)

    record = _verify(catalog, export_id, EXPORT_VERIFICATION, claim, progress=progress, read=read)
    ledger.append(record)
    return record


def _verify(
    catalog: Catalog, name: str, kind: str, claimed: Callable[[], Claim], *, progress: Progress, read: Container[str]
) -> Record[VerificationBody]:
    started = utcnow()
    problems: list[str] = []
    claim: Claim | None = None
    outcome = Outcome.PASSED
    try:
        claim = claimed()
        progress.step(f"Verifying {name}", total_bytes=sum(sealed.cipher_size for _, sealed in claim.archives))
        problems.extend([claim.problem] if claim.problem else [])
        problems.extend(_problems(catalog, claim, progress, read))
    except UnreachableError as error:
        outcome = Outcome.COULD_NOT_RUN
        problems.append(str(error))
    except OpsError as error:
        problems.append(str(error))
    if problems and outcome is Outcome.PASSED:
        outcome = Outcome.FAILED
    archives = claim.archives if claim else ()
    finished = utcnow()
    return Record[VerificationBody](
        kind=kind,
        version=VERIFICATION_VERSION,
        subject=catalog.stack,
        started=started,
        finished=finished,
        outcome=outcome,
        fresh_until=finished + FRESH if outcome is Outcome.PASSED else None,
        body=VerificationBody(
            backup_id=name,
            repository=catalog.store.where,
            artefacts=len(archives),
            cipher_size=sum(sealed.cipher_size for _, sealed in archives),
            problems=tuple(problems),
        ),
    )


def _problems(catalog: Catalog, claim: Claim, progress: Progress, read: Container[str]) -> Iterator[str]:
    for key, sealed in claim.archives:
        if key not in read:
            yield from look(catalog, key, sealed, progress)
    known = {claim.document, claim.document + SIGNATURE, *(key for key, _ in claim.archives)}
    for item in catalog.store.list(claim.prefix):
        if item.key not in known:
            yield f"{item.key} is no part of the backup"


def look(catalog: Catalog, key: str, sealed: Sealed, progress: Progress) -> Iterator[str]:
    """Read one archive; what is wrong with it, if anything. Raises UnreachableError."""
    stored = catalog.store.stat(key)
    if stored is None:
        yield f"{key} is missing"
    elif stored.size != sealed.cipher_size:
        yield f"{key} has {stored.size} bytes, the manifest says {sealed.cipher_size}"
    else:
        try:
            read_back(catalog.store, stored, sealed, progress.advance)
        except IntegrityError:
            yield f"{key} has other bytes than the manifest says"
        except StoreError as error:
            yield str(error)
