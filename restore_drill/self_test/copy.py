"""The private copy of a backup, and of what was shipped since, on which a self-test works."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from backup import layout
from backup.catalog import Catalog
from backup.chain import archives_of, parents_of
from backup.layout import SIGNATURE
from backup.manifest import Manifest
from backup.segment import Head, parse_head
from opsctl.core.errors import OpsError
from opsctl.core.store import Store, get

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Copied:
    """One object of the repository as it was when it was copied; `size` in bytes."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Copy:
    """The newest backup: its manifest and its parents', the full one first, every object that was copied, and the keys
    of heads, the newest first.

    The second head, if there is one, says less than the first about the same backup. `older`: the name of an artefact,
    and the key under which the backup before has another archive of that name and another size; None without one.
    """

    chain: tuple[Manifest, ...]
    objects: tuple[Copied, ...]
    heads: tuple[str, ...]
    older: tuple[str, str] | None

    @property
    def manifest(self) -> Manifest:
        """The newest backup's."""
        return self.chain[-1]


def copy_newest(catalog: Catalog, target: Store) -> Copy:
    """Copy the newest backup with its parents' manifests and databases, and what a drill replays on it.

    Raises OpsError when there is no backup, and what the catalog raises for one that is not to be believed.
    """
    manifest = catalog.newest()
    heads = _heads(catalog, manifest)
    older = _older_archive(catalog, manifest)
    chain = parents_of(catalog, manifest)
    keys = dict.fromkeys([*_backup_keys(catalog, chain), *_segment_keys(catalog, manifest)])
    keys.update(dict.fromkeys(key + ending for key in heads for ending in ("", SIGNATURE)))
    if older is not None:
        keys[older[1]] = None
    objects = tuple(_copy(catalog.store, key, target) for key in keys)
    return Copy(chain, objects, heads, older)


def is_unchanged(store: Store, objects: tuple[Copied, ...]) -> bool:
    """Whether every object that was copied still has the same bytes."""
    return all(_digest(store, found.key) == found for found in objects)


def _backup_keys(catalog: Catalog, chain: tuple[Manifest, ...]) -> Iterator[str]:
    yield from (artefact.key for artefact in archives_of(chain).values())
    for described in chain:
        key = layout.manifest(catalog.stack, described.id)
        yield from (key, key + SIGNATURE)


def _segment_keys(catalog: Catalog, manifest: Manifest) -> Iterator[str]:
    """All records of lineages that go on after the backup began, and the archives from then on: what was sealed before
    cannot hold the backup's position."""
    for ref in catalog.lineages():
        segments = catalog.segments(ref)
        since = {segment.key for segment in segments if segment.sealed_at > manifest.started}
        if not since:
            continue
        yield from since
        for item in catalog.store.list(layout.lineage(catalog.stack, ref.server, ref.lineage)):
            if item.key.endswith((".json", f".json{SIGNATURE}")):
                yield item.key


def _heads(catalog: Catalog, manifest: Manifest) -> tuple[str, ...]:
    """The newest head, and the one before it that states less and knows the backup already."""
    keys = [item.key for item in catalog.store.list(layout.heads(catalog.stack), ending=".json")]
    if not keys:
        return ()
    newest = parse_head(get(catalog.store, keys[-1]), keys[-1])
    for key in reversed(keys[:-1]):
        head = parse_head(get(catalog.store, key), key)
        if head.newest_backup != manifest.id:
            break
        if _states_less(head, newest):
            return keys[-1], key
    return (keys[-1],)


def _states_less(head: Head, newest: Head) -> bool:
    return head.lineage != newest.lineage or head.segments < newest.segments


def _older_archive(catalog: Catalog, manifest: Manifest) -> tuple[str, str] | None:
    earlier = [backup_id for backup_id in catalog.backup_ids() if backup_id < manifest.id]
    if not earlier:
        return None
    before = {artefact.name: artefact for artefact in catalog.manifest(earlier[-1]).artefacts}
    for artefact in sorted(manifest.artefacts, key=lambda artefact: artefact.sealed.cipher_size):
        old = before.get(artefact.name)
        if old is not None and old.sealed.cipher_size != artefact.sealed.cipher_size:
            return artefact.name, old.key
    return None


def _copy(store: Store, key: str, target: Store) -> Copied:
    digest, size = hashlib.sha256(), 0
    with store.open(key) as stream, target.create(key) as upload:
        while data := stream.read(_CHUNK):
            digest.update(data)
            size += len(data)
            upload.write(data)
        upload.commit()
    return Copied(key, size, digest.hexdigest())


def _digest(store: Store, key: str) -> Copied | None:
    try:
        with store.open(key) as stream:
            digest, size = hashlib.sha256(), 0
            while data := stream.read(_CHUNK):
                digest.update(data)
                size += len(data)
    except OpsError:
        return None
    return Copied(key, size, digest.hexdigest())
