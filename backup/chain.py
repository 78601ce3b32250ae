"""Chains: a backup and those that its database is restored onto, and all that they need of a repository."""

from collections.abc import Iterable, Sequence

from backup import layout
from backup.catalog import Catalog, Described
from backup.layout import SIGNATURE
from backup.manifest import Artefact, Manifest
from opsctl.core.errors import IntegrityError
from opsctl.core.store import MissingError

_HINT = "restore another backup, or use another copy of the repository; then take a full one: opsctl backup run"


class ChainError(IntegrityError):
    """A backup's parent is missing, or is another backup than the one it was made on."""


def chain_of(catalog: Catalog, backup_id: str) -> tuple[Manifest, ...]:
    """A backup and its parents: the full one first, then the incremental ones in order, itself last; all verified.

    Raises MissingError or IntegrityError for the backup itself, ChainError for its parents.
    """
    return parents_of(catalog, catalog.manifest(backup_id))


def parents_of(catalog: Catalog, manifest: Manifest) -> tuple[Manifest, ...]:
    """The chain that ends with a manifest that was verified. Raises ChainError."""
    chain = [manifest]
    while (child := chain[0]).parent is not None or child.kind == "incremental":
        parent = _parent(catalog, child)
        if parent.manifest.id in {known.id for known in chain}:
            raise ChainError(f"backup {child.id} is its own ancestor", where=catalog.store.where, hint=_HINT)
        _join(parent, child, catalog)
        chain.insert(0, parent.manifest)
    return tuple(chain)


def needed_keys(manifests: Iterable[Manifest]) -> set[str]:
    """All keys without which these backups, each whole, are not what they say; some may lie in other backups' folders.

    For what a restore of one backup needs, give the whole chain. Whoever deletes what is not needed has to hold the
    lock of `backup run`: a run in progress may be about to name older archives again.
    """
    needed: set[str] = set()
    for manifest in manifests:
        key = layout.manifest(manifest.stack, manifest.id)
        needed |= {key, key + SIGNATURE, *(artefact.key for artefact in manifest.artefacts)}
    return needed


def archives_of(chain: Sequence[Manifest]) -> dict[str, Artefact]:
    """What a restore of the last backup of a chain opens, by names that no two have: its parents' databases in their
    order, called `db of ID`, and all of its own."""
    parents = {
        f"{artefact.name} of {manifest.id}": artefact
        for manifest in chain[:-1]
        for artefact in manifest.artefacts
        if artefact.kind == "database"
    }
    return parents | {artefact.name: artefact for artefact in chain[-1].artefacts}


def _parent(catalog: Catalog, child: Manifest) -> Described:
    if child.parent is None or child.kind != "incremental":
        found = "names no parent" if child.parent is None else f"is a full one and names a parent, {child.parent}"
        raise ChainError(f"backup {child.id} {found}", where=catalog.store.where, hint=_HINT)
    try:
        return catalog.described(child.parent)
    except MissingError as error:
        raise ChainError(
            f"backup {child.parent}, the parent of {child.id}, is not there", where=catalog.store.where, hint=_HINT
        ) from error
    except IntegrityError as error:
        raise ChainError(
            f"backup {child.parent}, the parent of {child.id}, is not to be believed: {error.message}",
            where=error.where,
            hint=_HINT,
        ) from error


def _join(parent: Described, child: Manifest, catalog: Catalog) -> None:
    """LSNs are held against each other too, but prove little: on an idle database they are all the same."""
    before, after = parent.manifest.database, child.database
    for what, there, here in (
        ("a parent whose manifest has the SHA-256", child.parent_sha256, parent.sha256),
        ("a parent that ends at LSN", after.from_lsn, before.to_lsn),
        ("a parent of the server with the id", after.server_id, before.server_id),
    ):
        if there != here:
            raise ChainError(
                f"backup {child.id} was made on {what} {there}; that of {child.parent} is {here}",
                where=catalog.store.where,
                hint=_HINT,
            )
