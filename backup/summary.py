"""Backups in short: what lists and retention need of manifests, so that not each one is read each time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from backup import layout
from backup.catalog import Catalog
from backup.manifest import Manifest
from opsctl.core.store import Stored


class Summary(BaseModel):
    """One backup whose manifest was verified. Sizes are bytes, times UTC.

    `archives` are the sizes of its archives by key, wherever they lie; `database_size` is of the database before it was
    compressed. `size` and `modified` are those of the manifest in the repository.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["full", "incremental"]
    parent: str | None
    started: datetime
    finished: datetime
    plain_size: int
    cipher_size: int
    database_size: int
    tables: int
    files: int
    archives: dict[str, int]
    binlog_file: str | None
    server_id: int
    size: int
    modified: datetime


def summary(manifest: Manifest, stored: Stored) -> Summary:
    """Shorten a manifest; `stored` is its object."""
    return Summary(
        id=manifest.id,
        kind=manifest.kind,
        parent=manifest.parent,
        started=manifest.started,
        finished=manifest.finished,
        plain_size=sum(artefact.sealed.plain_size for artefact in manifest.artefacts),
        cipher_size=sum(artefact.sealed.cipher_size for artefact in manifest.artefacts),
        database_size=sum(part.sealed.plain_size for part in manifest.artefacts if part.kind == "database"),
        tables=len(manifest.database.tables),
        files=sum(part.files for part in manifest.files),
        archives={artefact.key: artefact.sealed.cipher_size for artefact in manifest.artefacts},
        binlog_file=manifest.database.binlog_file,
        server_id=manifest.database.server_id,
        size=stored.size,
        modified=stored.modified,
    )


def summaries(catalog: Catalog, here: Mapping[str, Stored]) -> list[Summary]:
    """All backups of a repository with these objects, oldest first, each one's manifest verified.

    Raises what reading a manifest raises: one that does not hold may need anything that is there.
    """
    prefix, ending = layout.backups(catalog.stack), f"/{layout.MANIFEST}"
    found = sorted(key for key in here if key.startswith(prefix) and key.endswith(ending))
    return [summary(catalog.manifest(key[len(prefix) : -len(ending)]), here[key]) for key in found]
