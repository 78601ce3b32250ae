"""The logical exports in a repository, each verified when it is read."""

from backup import layout
from backup.catalog import Catalog
from backup.documents import fetch
from backup.logical.document import Export, parse_export
from opsctl.core.errors import IntegrityError, OpsError, SettingsError
from opsctl.core.signing import Namespace
from opsctl.core.store import get

MAKE = "opsctl backup run --kind logical"
DRILL = "opsctl drill run --export latest"
LATEST = "latest"


def export_ids(catalog: Catalog) -> list[str]:
    """Ids of all exports that exist, oldest first."""
    prefix, ends = layout.exports(catalog.stack), f"/{layout.EXPORT}"
    return [item.key[len(prefix) : -len(ends)] for item in catalog.store.list(prefix, ending=ends)]


def read_export(catalog: Catalog, export_id: str) -> Export:
    """Read and verify one document. Raises MissingError, IntegrityError."""
    key = layout.export_document(catalog.stack, export_id)
    export = parse_export(get(catalog.store, key), key)
    fetch(catalog.store, catalog.verifier, Namespace.MANIFEST, key, at=export.finished)
    if (export.id, export.stack) != (export_id, catalog.stack):
        raise IntegrityError(f"{key} describes another export: {export.stack}/{export.id}")
    return export


def is_export(catalog: Catalog, name: str) -> bool:
    """Whether an id that a person names is that of an export."""
    return name in export_ids(catalog)


def export_asked_for(catalog: Catalog, name: str) -> str:
    """The id of the export that a person names, by its id or as `latest`.

    Raises SettingsError when there is none of that id, OpsError when there is none at all.
    """
    ids = export_ids(catalog)
    if name in ids:
        return name
    if name != LATEST:
        raise SettingsError(f"there is no export {name}", where=catalog.store.where, hint="opsctl backup list")
    if not ids:
        raise OpsError(f"there is no export of {catalog.stack}", where=catalog.store.where, hint=f"run: {MAKE}")
    return ids[-1]
