"""Whether a repository is still the one this machine has seen: what was there must be there, and go on.

A repository that was rolled back, by a thief or by a tired administrator, is consistent in itself and every signature
in it holds. Only who remembers how far it reached can tell.
"""

from pathlib import Path

from backup.catalog import Catalog, LineageRef
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


def check_head(catalog: Catalog, remembered: Head | None) -> Head | None:
    """Read the repository's newest head and hold the repository against it and against the remembered one.

    Returns it, to be remembered once the work has succeeded; None for a repository that never had one. Raises
    RolledBackError (exit 12).
    """
    head = catalog.newest_head()
    if head is None:
        if remembered is not None:
            raise _rolled_back(catalog, f"it has no head any more; on {iso(remembered.at)} it had one")
        return None
    _verify_reach(catalog, head, "its own newest head")
    if remembered is not None:
        _verify_not_older(catalog, head, remembered)
        _verify_reach(catalog, remembered, f"what this machine saw on {iso(remembered.at)}")
    return head


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
