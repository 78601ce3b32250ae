"""`backup verify`: whether a backup in a repository is still what was signed; nothing is decrypted for it."""

from collections.abc import Iterator
from datetime import timedelta

from backup import layout
from backup.catalog import Catalog
from backup.codec import read_back
from backup.layout import SIGNATURE
from backup.manifest import Artefact, Manifest
from backup.records import VERIFICATION, VERIFICATION_VERSION, VerificationBody
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError, OpsError, UnreachableError
from opsctl.core.ledger import Ledger
from opsctl.core.progress import Progress
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.store import StoreError

FRESH = timedelta(days=7)


def verify_backup(catalog: Catalog, backup_id: str, *, ledger: Ledger, progress: Progress) -> Record[VerificationBody]:
    """Verify the manifest's signature, and the presence, size and hash of every archive, and that nothing is extra.

    Everything is looked at, whatever is wrong; the record of it, which is returned, is in the ledger then. It could
    not run when the store does not answer.
    """
    started = utcnow()
    problems: list[str] = []
    manifest: Manifest | None = None
    outcome = Outcome.PASSED
    try:
        manifest = catalog.manifest(backup_id)
        problems.extend(_problems(catalog, manifest, progress))
    except UnreachableError as error:
        outcome = Outcome.COULD_NOT_RUN
        problems.append(str(error))
    except OpsError as error:
        problems.append(str(error))
    if problems and outcome is Outcome.PASSED:
        outcome = Outcome.FAILED
    artefacts = manifest.artefacts if manifest else ()
    finished = utcnow()
    record = Record[VerificationBody](
        kind=VERIFICATION,
        version=VERIFICATION_VERSION,
        subject=catalog.stack,
        started=started,
        finished=finished,
        outcome=outcome,
        fresh_until=finished + FRESH if outcome is Outcome.PASSED else None,
        body=VerificationBody(
            backup_id=backup_id,
            repository=catalog.store.where,
            artefacts=len(artefacts),
            cipher_size=sum(artefact.sealed.cipher_size for artefact in artefacts),
            problems=tuple(problems),
        ),
    )
    ledger.append(record)
    return record


def _problems(catalog: Catalog, manifest: Manifest, progress: Progress) -> Iterator[str]:
    total = sum(artefact.sealed.cipher_size for artefact in manifest.artefacts)
    progress.step(f"Verifying {manifest.id}", total_bytes=total)
    for artefact in manifest.artefacts:
        yield from _look(catalog, artefact, progress)
    key = layout.manifest(catalog.stack, manifest.id)
    known = {key, key + SIGNATURE, *(artefact.key for artefact in manifest.artefacts)}
    for item in catalog.store.list(layout.backup(catalog.stack, manifest.id)):
        if item.key not in known:
            yield f"{item.key} is no part of the backup"


def _look(catalog: Catalog, artefact: Artefact, progress: Progress) -> Iterator[str]:
    stored = catalog.store.stat(artefact.key)
    if stored is None:
        yield f"{artefact.key} is missing"
    elif stored.size != artefact.sealed.cipher_size:
        yield f"{artefact.key} has {stored.size} bytes, the manifest says {artefact.sealed.cipher_size}"
    else:
        try:
            read_back(catalog.store, stored, artefact.sealed, progress.advance)
        except IntegrityError:
            yield f"{artefact.key} has other bytes than the manifest says"
        except StoreError as error:
            yield str(error)
