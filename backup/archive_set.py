"""Seals one set of files: whole, or what changed since the last backup, or, when nothing did, nothing."""

import contextlib
import io
import itertools
import os
import time
from collections.abc import Generator
from datetime import datetime

from backup import remembered
from backup.archive import Archives
from backup.comparison import Comparison
from backup.context import Host
from backup.filelist import FileEntry, ListSpool
from backup.increments import Base, judged
from backup.keys import Secrets
from backup.manifest import FileSet
from backup.plan import PlannedSet
from backup.remembered import Known, Memory, recall
from backup.tarstream import tar_stream
from backup.tree import Found, Walk
from opsctl.core.failpoints import failpoint
from opsctl.core.pipeline import Source
from opsctl.core.words import counted

TAR = "tar.zst.age"
LIST = "zst.age"


def archive_set(
    host: Host, archives: Archives, planned: PlannedSet, secrets: Secrets, *, base: Base | None, started: datetime
) -> FileSet:
    """Seal one set and its list, onto `base` if there is one. Raises OpsError for what cannot be read."""
    comparison = Comparison(recall(base.memory) if base else (), read_all=base is None or base.read_all)
    walk = Walk(host.stack.root, planned.paths, secrets, planned.options, comparison.knows)
    place = remembered.directory(host, archives.backup_id) / planned.name
    with Memory(place, judged(planned), time.time_ns()) as memory:
        listing = _Listing(planned, memory, comparison)
        changed = _seal(archives, planned, base, listing, comparison.changes(walk, listing.keep))
        memory.finish()
    failpoint("backup.after_files")
    if walk.left_out:
        host.progress.note(f"{planned.name}: {walk.left_out} sockets, FIFOs or devices are in no archive")
    if comparison.unseen:
        files = counted(comparison.unseen, "file")
        host.progress.note(f"{planned.name}: {files} had other bytes under the same size and times")
    return FileSet(
        name=planned.name,
        paths=tuple(str(path) for path in planned.paths),
        files=listing.spool.files,
        size=listing.spool.size,
        digest=archives.of(f"files-{planned.name}.list").sealed.plain_sha256,
        changed=changed,
        vanished=walk.vanished,
        left_out=walk.left_out,
        uploads=None if planned.uploads is None else str(planned.uploads),
        upload_count=listing.uploaded,
        read=base.files.read if base and not base.read_all else started,
        stored=base.files.stored if base else started,
        kept=comparison.kept,
        unseen=comparison.unseen,
    )


class _Listing:
    """Gathers the set's list, and what is to be remembered of it, while its files pass."""

    def __init__(self, planned: PlannedSet, memory: Memory, comparison: Comparison) -> None:
        uploads = planned.options.uploads
        self._below = None if uploads is None else str(uploads).lstrip("/") + "/"
        self._memory = memory
        self.comparison = comparison
        self._passing: Found | None = None
        self.spool = ListSpool()
        self.uploaded = 0

    def keep(self, known: Known, found: os.stat_result) -> None:
        """List what is as it was."""
        self._add(known.entry, known.line, found)

    def passing(self, found: Found) -> Found:
        """What is about to be stored."""
        self._passing = found
        return found

    def note(self, entry: FileEntry) -> None:
        """List what was stored."""
        if not self.comparison.is_again(entry):
            self._add(entry, entry.line(), self._passing.stat if self._passing else None)

    def _add(self, entry: FileEntry, line: bytes, found: os.stat_result | None) -> None:
        self.spool.add(entry, line)
        self._memory.add(line, found if entry.type == "file" else None)
        if self._below is not None and entry.type in ("file", "hardlink") and entry.path.startswith(self._below):
            self.uploaded += 1


def _seal(
    archives: Archives, planned: PlannedSet, base: Base | None, listing: _Listing, stored: Generator[Found]
) -> int:
    """Seal what there is to seal; return how many files changed while they were read."""
    name, newest = f"files-{planned.name}", None
    if base is not None:
        archives.carry(base.archives)
        name, newest = f"{name}.{base.number}", base.newest.key
    place = len(archives.artefacts)
    comparison = listing.comparison
    with contextlib.closing(stored):
        first = next(stored, None)
        if base is not None and first is None and not comparison.deleted:
            archives.carry((base.listed,))
            return 0
        found = map(listing.passing, itertools.chain([first] if first else [], stored))
        with tar_stream(found, listing.note) as stream:
            archives.seal(name, "files", TAR, [Source(stream)], base=newest)
    if comparison.deleted:
        gone = b"".join(os.fsencode(path) + b"\0" for path in comparison.deleted)
        archives.seal(f"{name}.deleted", "deleted", LIST, [Source(io.BytesIO(gone))], base=newest, place=place)
    archives.seal(f"files-{planned.name}.list", "list", LIST, [Source(listing.spool.finish())])
    return stream.changed
