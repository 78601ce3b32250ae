"""What there is to copy, in units: the archives of one thing first, then the document that makes it exist.

What has no document is either in the making or the leftover of a killed run, and is not copied.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backup import layout
from backup.binlog.lineage import record_keys
from backup.catalog import Catalog
from backup.layout import SIGNATURE
from backup.logical.catalog import read_export
from backup.readme import KEY as README
from backup.readme import exports_key
from backup.retention.pruned import Pruned
from backup.segment import parse_head, parse_segment
from opsctl.core.errors import IntegrityError
from opsctl.core.store import Stored, get

Lane = Literal["logs", "backups"]
"""Logs go by themselves, so that a large backup on its way never keeps them waiting."""

Listing = Mapping[str, Stored]
_NOTE = ".note"
_DOCUMENT = ".json"


@dataclass(frozen=True)
class Item:
    """One object: its key, its size in bytes, and the SHA-256 that a signed document gives it, if one does."""

    key: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class Contents:
    """What a unit consists of. `needs` are keys of other units without which it is worth nothing."""

    items: tuple[Item, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """One thing to copy: `document` is published last, and with it the thing is there.

    `keys` are all its own keys. In one `sequence` nothing is copied after what failed. `contents` reads its document.
    """

    document: str
    keys: tuple[str, ...]
    sequence: str | None
    contents: Callable[[], Contents]


def listing(catalog: Catalog) -> dict[str, Stored]:
    """Everything of the stack in a repository, and its page for people, by key."""
    page = catalog.store.stat(README)
    found = {item.key: item for item in catalog.store.list(f"{catalog.stack}/")}
    return found | ({README: page} if page else {})


def units(catalog: Catalog, here: Listing, lane: Lane) -> Iterator[Unit]:
    """All units of a lane, in the order in which they are to arrive. Raises what the store raises."""
    if lane == "logs":
        yield from _segments(catalog, here)
        yield from _signed(catalog, here, layout.drills(catalog.stack), _DOCUMENT)
        yield from _signed(catalog, here, layout.export_drills(catalog.stack), _DOCUMENT)
        yield from _signed(catalog, here, layout.checkpoints(catalog.stack), _NOTE)
        return
    for page in (README, exports_key(catalog.stack)):
        if page in here:
            yield _plain(here, page, (page,))
    yield from _backups(catalog, here)
    yield from _exports(catalog, here)
    yield from _others(catalog, here)


def pruned_there(catalog: Catalog, here: Listing, pruned: Pruned | None) -> frozenset[str]:
    """Documents of what was pruned from another repository, and is not to be sent there again."""
    if pruned is None:
        return frozenset()
    stack = catalog.stack
    backups = (layout.manifest(stack, each) for each in pruned.backups)
    folders = tuple(f"{layout.exports(stack)}{each}/" for each in pruned.exports)
    exports = (key for key in here if key.startswith(folders) and key.endswith(_DOCUMENT)) if folders else ()
    return frozenset((*backups, *exports, *_pruned_records(catalog, pruned)))


def _pruned_records(catalog: Catalog, pruned: Pruned) -> Iterator[str]:
    for ref in catalog.lineages():
        logs = pruned.through(ref.server, ref.lineage)
        for key in record_keys(catalog, ref) if logs else ():
            if logs is None or parse_segment(get(catalog.store, key), key).number > logs.through:
                break
            yield key


def head_unit(catalog: Catalog, here: Listing, there: Listing, skip: Container[str] = ()) -> Unit | None:
    """The newest head that says nothing which is not at the other place yet; None when that has it, or there is none.

    `skip` are documents that were pruned there. A head that came before what it states would look like a repository
    that was rolled back.
    """
    prefix = layout.heads(catalog.stack)
    keys = sorted((key for key in here if key.startswith(prefix) and key.endswith(_DOCUMENT)), reverse=True)
    for key in keys:
        if key in there:
            return None
        head = parse_head(get(catalog.store, key), key)
        arrived = head.newest_backup is None or layout.manifest(catalog.stack, head.newest_backup) in there
        if head.server is not None and head.lineage is not None:
            lineage = layout.lineage(catalog.stack, head.server, head.lineage)
            records = (each for each in here if each.startswith(lineage) and each.endswith(_DOCUMENT))
            arrived = arrived and all(record in there or record in skip for record in records)
        if arrived and key + SIGNATURE in here:
            return _plain(here, key, (key + SIGNATURE, key))
    return None


def _segments(catalog: Catalog, here: Listing) -> Iterator[Unit]:
    for ref in catalog.lineages():
        prefix = layout.lineage(catalog.stack, ref.server, ref.lineage)
        for key in record_keys(catalog, ref):
            archive = f"{key.removesuffix(_DOCUMENT)}.zst.age"

            def contents(key: str = key) -> Contents:
                segment = parse_segment(get(catalog.store, key), key)
                sealed = segment.sealed
                return Contents(
                    (Item(segment.key, sealed.cipher_size, sealed.cipher_sha256), *_document(here, key)),
                )

            yield Unit(key, (archive, key + SIGNATURE, key), prefix, contents)


def _signed(catalog: Catalog, here: Listing, prefix: str, ending: str) -> Iterator[Unit]:
    for key in sorted(here):
        if key.startswith(prefix) and key.endswith(ending):
            yield _plain(here, key, (key + SIGNATURE, key))


def _backups(catalog: Catalog, here: Listing) -> Iterator[Unit]:
    prefix, folders = layout.backups(catalog.stack), _folders(here)
    for key in sorted(here):
        if key.startswith(prefix) and key.endswith(f"/{layout.MANIFEST}"):
            folder = key.removesuffix(layout.MANIFEST)

            def contents(key: str = key, backup_id: str = folder[len(prefix) : -1]) -> Contents:
                manifest = catalog.manifest(backup_id)
                items = [
                    Item(artefact.key, artefact.sealed.cipher_size, artefact.sealed.cipher_sha256)
                    for artefact in manifest.artefacts
                ]
                parent = (layout.manifest(catalog.stack, manifest.parent),) if manifest.parent else ()
                return Contents((*items, *_document(here, key)), parent)

            yield Unit(key, folders[folder], None, contents)


def _exports(catalog: Catalog, here: Listing) -> Iterator[Unit]:
    prefix, folders = layout.exports(catalog.stack), _folders(here)
    for key in sorted(here):
        if key.startswith(prefix) and key.endswith(f"/{layout.EXPORT}"):
            folder = key.removesuffix(layout.EXPORT)

            def contents(key: str = key, export_id: str = folder[len(prefix) : -1]) -> Contents:
                dumps = read_export(catalog, export_id).dumps
                items = [Item(dump.key, dump.sealed.cipher_size, dump.sealed.cipher_sha256) for dump in dumps]
                return Contents((*items, *_document(here, key)))

            yield Unit(key, folders[folder], None, contents)


def _others(catalog: Catalog, here: Listing) -> Iterator[Unit]:
    """Whatever a later version keeps in folders: all of a folder, its document last."""
    known = (
        *(layout.backups(catalog.stack), layout.segments(catalog.stack)),
        *(layout.drills(catalog.stack), layout.checkpoints(catalog.stack)),
        *(layout.exports(catalog.stack), layout.export_drills(catalog.stack)),
        layout.prunes(catalog.stack),  # what was pruned here is still there
    )
    folders = _folders(here)
    for key in sorted(here):
        if key.endswith(_DOCUMENT) and key.startswith(f"{catalog.stack}/") and not key.startswith(known):
            others = [each for each in folders[_folder(key)] if not each.startswith(key)]
            signature = [key + SIGNATURE] if key + SIGNATURE in here else []
            yield _plain(here, key, (*others, *signature, key))


def _plain(here: Listing, document: str, keys: Sequence[str]) -> Unit:
    return Unit(document, tuple(keys), None, lambda: Contents(tuple(Item(key, _size(here, key)) for key in keys)))


def _document(here: Listing, key: str) -> tuple[Item, Item]:
    """A signature, then what it signs."""
    return Item(key + SIGNATURE, _size(here, key + SIGNATURE)), Item(key, _size(here, key))


def _folders(here: Listing) -> dict[str, tuple[str, ...]]:
    """The keys in each folder, in their order."""
    found: dict[str, list[str]] = {}
    for key in sorted(here):
        found.setdefault(_folder(key), []).append(key)
    return {folder: tuple(keys) for folder, keys in found.items()}


def _folder(key: str) -> str:
    return key.rpartition("/")[0] + "/"


def _size(here: Listing, key: str) -> int:
    found = here.get(key)
    if found is None:
        raise IntegrityError(f"{key} is missing", hint="run: opsctl backup verify --all")
    return found.size
