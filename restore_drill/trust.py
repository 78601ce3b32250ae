"""Whether a repository is still the one this machine has seen: what was there must be there, and go on.

A repository that was rolled back, by a thief or by a tired administrator, is consistent in itself and every signature
in it holds. Only who remembers how far it reached can tell.
"""

from pathlib import Path

from backup.catalog import Catalog, LineageRef
from backup.retention.pruned import Pruned, newest_pruned
from backup.segment import Head, parse_head
from opsctl.core.canonical import canonical, sha256_hex
from opsctl.core.clock import iso
from opsctl.core.durable import locked_directory, replace_file
from opsctl.core.errors import IntegrityError
from opsctl.core.signing import SignatureError

_HINT = "ask who restored or pruned it; use another copy, or remove the remembered head only once you know why"


class RolledBackError(IntegrityError):
    """The repository ends before what this machine has seen of it."""


class HeadMemory:
    """The newest head of one stack in one repository that this machine has worked with."""

    def __init__(self, state_dir: Path, stack: str, repository: str) -> None:
        self.path = state_dir / "heads" / f"{stack}-{repository}.json"

    def recall(self) -> Head | None:
        """The remembered head; None when there is none yet. Raises IntegrityError when it cannot be read."""
        try:
            return parse_head(self.path.read_bytes(), str(self.path))
        except FileNotFoundError:
            return None

    def remember(self, head: Head) -> None:
        """Keep a head durably, unless another run that ended meanwhile has kept a newer one. Raises OpsError."""
        with locked_directory(self.path.parent):
            known = self.recall()
            if known is None or known.at < head.at:
                replace_file(self.path, canonical(head))


def check_head(catalog: Catalog, remembered: Head | None, repository: str | None = None) -> Head | None:
    """Read the repository's newest head and hold the repository against it and against the remembered one.

    What is remembered may have been pruned since, if a trusted signer has said so of the repository of this name; never
    what the newest head states, and never without something newer in its place. Returns the head, to be remembered once
    the work has succeeded; None for a repository that never had one. Raises RolledBackError (exit 12).
    """
    head = catalog.newest_head()
    if head is None:
        if remembered is not None:
            raise _rolled_back(catalog, f"it has no head any more; on {iso(remembered.at)} it had one")
        return None
    _verify_reach(catalog, head, "its own newest head")
    if remembered is not None:
        _verify_not_older(catalog, head, remembered)
        _verify_remembered(catalog, remembered, head, repository)
    return head


def _verify_remembered(catalog: Catalog, remembered: Head, head: Head, repository: str | None) -> None:
    """What was there must be there, or be pruned. `head` is newer and was verified."""
    try:
        _verify_reach(catalog, remembered, f"what this machine saw on {iso(remembered.at)}")
    except RolledBackError:
        pruned = None if repository is None else newest_pruned(catalog, repository)
        if pruned is None or not _is_explained(catalog, remembered, head, pruned):
            raise


def _is_explained(catalog: Catalog, remembered: Head, head: Head, pruned: Pruned) -> bool:
    """Whether all that is missing was pruned, from the beginning, with what is newer still there."""
    newest = remembered.newest_backup
    if newest is not None and newest not in catalog.backup_ids() and newest not in pruned.backups:
        return False
    if remembered.server is None or remembered.lineage is None or remembered.segments == 0:
        return True
    records = catalog.segments(LineageRef(remembered.server, remembered.lineage))
    for record in records:
        if record.number == remembered.segments:
            return sha256_hex(canonical(record)) == remembered.last_record
    place, first = (remembered.server, remembered.lineage), next(iter(records), None)
    if not pruned.explains_segment(*place, number=remembered.segments, record=remembered.last_record):
        return False
    if first is None:
        return head.lineage is not None and head.lineage > remembered.lineage
    beyond = first.number > remembered.segments
    return beyond and pruned.explains_beginning(*place, first=first.number, previous=first.previous)


def _verify_not_older(catalog: Catalog, head: Head, remembered: Head) -> None:
    if head.at < remembered.at:
        raise _rolled_back(catalog, f"its newest head is of {iso(head.at)}, this machine has seen {iso(remembered.at)}")
    if head.at == remembered.at and head != remembered:
        raise _rolled_back(catalog, f"its head of {iso(head.at)} is another one than this machine has seen")
    if head.lineage == remembered.lineage and head.segments < remembered.segments:
        raise _rolled_back(catalog, f"it says {head.segments} segments, this machine has seen {remembered.segments}")
    if (head.newest_backup or "") < (remembered.newest_backup or ""):
        raise _rolled_back(catalog, f"its newest backup is {head.newest_backup}, not {remembered.newest_backup}")


def _verify_reach(catalog: Catalog, head: Head, what: str) -> None:
    """Everything that a head states must be there: the last segment with its hash, the newest backup."""
    if head.newest_backup is not None and head.newest_backup not in catalog.backup_ids():
        raise _rolled_back(catalog, f"backup {head.newest_backup} is gone, which is in {what}")
    if head.server is None or head.lineage is None or head.segments == 0:
        return
    try:
        records = catalog.segments(LineageRef(head.server, head.lineage))
    except SignatureError as error:  # the head's own held; that a segment's does not is for who replays it to report
        raise IntegrityError(error.message, where=error.where, hint=error.hint) from error
    last = next((record for record in records if record.number == head.segments), None)
    if last is None:
        reach = records[-1].number if records else 0
        raise _rolled_back(catalog, f"lineage {head.lineage} ends at segment {reach}, and at {head.segments} in {what}")
    if sha256_hex(canonical(last)) != head.last_record:
        raise _rolled_back(catalog, f"segment {head.segments} of lineage {head.lineage} is another than in {what}")


def _rolled_back(catalog: Catalog, how: str) -> RolledBackError:
    return RolledBackError(f"the repository was rolled back: {how}", where=catalog.store.where, hint=_HINT)
