"""Backups in short: what lists and retention need of manifests, so that not each one is read each time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from backup import layout
from backup.catalog import Catalog
from backup.manifest import Manifest
from opsctl.core.canonical import sha256_hex
from opsctl.core.durable import locked_directory, replace_file
from opsctl.core.store import Stored

DIRECTORY = "summaries"


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
    stored_size: int
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
        stored_size=manifest.stored_size,
        database_size=sum(part.sealed.plain_size for part in manifest.artefacts if part.kind == "database"),
        tables=len(manifest.database.tables),
        files=sum(part.files for part in manifest.files),
        archives={artefact.key: artefact.sealed.cipher_size for artefact in manifest.artefacts},
        binlog_file=manifest.database.binlog_file,
        server_id=manifest.database.server_id,
        size=stored.size,
        modified=stored.modified,
    )


def manifests(catalog: Catalog) -> dict[str, Stored]:
    """The manifests' objects in a repository, by key: one listing, nothing read."""
    ending = f"/{layout.MANIFEST}"
    return {item.key: item for item in catalog.store.list(layout.backups(catalog.stack), ending=ending)}


def summaries(catalog: Catalog, here: Mapping[str, Stored], memory: "Memory | None" = None) -> list[Summary]:
    """All backups of a repository with these objects, oldest first, each one's manifest verified, now or when this
    machine remembered it.

    Raises what reading a manifest raises: one that does not hold may need anything that is there.
    """
    prefix, ending = layout.backups(catalog.stack), f"/{layout.MANIFEST}"
    known = {} if memory is None else memory.recall()
    found = []
    for key in sorted(key for key in here if key.startswith(prefix) and key.endswith(ending)):
        backup_id, stored = key[len(prefix) : -len(ending)], here[key]
        before = known.get(backup_id)
        if before is None or (before.size, before.modified) != (stored.size, stored.modified):
            before = summary(catalog.manifest(backup_id), stored)
        found.append(before)
    return found


class _Remembered(BaseModel):
    """The file: for whose signatures the manifests were held, and the summaries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["opsctl-summaries-1"] = "opsctl-summaries-1"
    signers: str
    summaries: tuple[Summary, ...]


class Memory:
    """Summaries of manifests that this machine has read and verified, so that it need not again.

    They count as long as the manifest's object is the same and the same signers are trusted. It is a memory only: where
    it is missing or damaged, the manifests are read. Commands that only read leave it as it is.
    """

    def __init__(self, state_dir: Path, catalog: Catalog) -> None:
        where = sha256_hex(catalog.store.where.encode())[:16]
        self.path = state_dir / DIRECTORY / f"{catalog.stack}-{where}.json"
        self._signers_file = catalog.verifier.allowed_signers

    def recall(self) -> dict[str, Summary]:
        """What is remembered, by backup."""
        try:
            found = _Remembered.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return {}
        return {each.id: each for each in found.summaries} if found.signers == self._signers() else {}

    def keep(self, summaries: Iterable[Summary]) -> None:
        """Remember these, and no others. Raises OpsError."""
        remembered = _Remembered(signers=self._signers(), summaries=tuple(summaries))
        with locked_directory(self.path.parent):
            replace_file(self.path, remembered.model_dump_json().encode())

    def _signers(self) -> str:
        return sha256_hex(self._signers_file.read_bytes())


def remember_one(catalog: Catalog, manifest: Manifest, state_dir: Path) -> None:
    """Remember a backup that was just published; nothing else is read for it. Raises OpsError."""
    stored = catalog.store.stat(layout.manifest(catalog.stack, manifest.id))
    if stored is not None:
        memory = Memory(state_dir, catalog)
        known = memory.recall() | {manifest.id: summary(manifest, stored)}
        memory.keep(known[each] for each in sorted(known))


def remember(catalog: Catalog, state_dir: Path) -> None:
    """Bring this machine's memory of a repository up to date. Raises what reading its manifests raises, OpsError."""
    memory = Memory(state_dir, catalog)
    memory.keep(summaries(catalog, manifests(catalog), memory))
