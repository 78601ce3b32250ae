"""Where things lie in a repository. The layout is a format: docs in the repository's own README.txt."""

from datetime import datetime

from opsctl.core.clock import compact, new_id

MANIFEST = "manifest.json"
SIGNATURE = ".sig"
EXPORT = "export.json"


def new_backup_id(started: datetime, kind: str) -> str:
    """An id such as `20260501T020000Z-full-1a2b3c4d`; ids sort by time."""
    return f"{compact(started)}-{kind}-{new_id()}"


def backups(stack: str) -> str:
    """Prefix of all backups of a stack."""
    return f"{stack}/backups/"


def backup(stack: str, backup_id: str) -> str:
    """Prefix of one backup."""
    return f"{stack}/backups/{backup_id}/"


def manifest(stack: str, backup_id: str) -> str:
    """Key of a backup's manifest: the backup exists once this does."""
    return backup(stack, backup_id) + MANIFEST


def segments(stack: str) -> str:
    """Prefix of all segments and heads of a stack."""
    return f"{stack}/binlog/"


def lineage(stack: str, server: str, lineage_id: str) -> str:
    """Prefix of one lineage."""
    return f"{stack}/binlog/{server}/{lineage_id}/"


def heads(stack: str) -> str:
    """Prefix of the heads."""
    return f"{stack}/binlog/heads/"


def drills(stack: str) -> str:
    """Prefix of drill results."""
    return f"{stack}/drills/"


def checkpoints(stack: str) -> str:
    """Prefix of ledger checkpoints."""
    return f"{stack}/checkpoints/"


def canaries(stack: str) -> str:
    """Prefix of objects that are there to be attacked."""
    return f"{stack}/canaries/"


def new_export_id(started: datetime) -> str:
    """An id such as `20260501T020000Z-logical-1a2b3c4d`; ids sort by time."""
    return f"{compact(started)}-logical-{new_id()}"


def exports(stack: str) -> str:
    """Prefix of all logical exports of a stack."""
    return f"{stack}/exports/"


def export(stack: str, export_id: str) -> str:
    """Prefix of one logical export."""
    return f"{stack}/exports/{export_id}/"


def export_document(stack: str, export_id: str) -> str:
    """Key of an export's document: the export exists once this does."""
    return export(stack, export_id) + EXPORT


def export_drills(stack: str) -> str:
    """Prefix of the results of drills of logical exports."""
    return f"{stack}/export-drills/"


def prunes(stack: str) -> str:
    """Prefix of statements of what was pruned."""
    return f"{stack}/prunes/"
