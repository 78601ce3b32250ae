"""Whether the next backup may be an incremental one, and on which parent; if not, why it has to be a full one.

An incremental backup holds the pages with a later LSN than its parent's. LSNs say nothing of whose they are: another
server's, or those of a database that was restored meanwhile, are taken without a word. So it is made only where
everything else shows that the server went on from its parent.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from backup import physical
from backup.binlog.lineage import begun_anew_after, newest_end, plan
from backup.binlog.session import BinlogFile, Listing
from backup.catalog import Described
from backup.chain import parents_of
from backup.context import Host
from backup.database import connected_to
from backup.facts import ServerFacts
from backup.manifest import Manifest
from backup.position import gtid_state
from opsctl.core.clock import utcnow
from opsctl.core.durable import replace_file
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.mariadb.connect import rows
from opsctl.core.process import command, run

Kind = Literal["full", "incremental"]

LSN = "lsn"
_ORIGIN = "datadir"
_STAT_TIMEOUT_S = 30.0
# What runs daily runs a little earlier on some days than on others.
SLACK = timedelta(hours=6)


@dataclass(frozen=True)
class Decision:
    """`parent` is what an incremental backup is made on; for a full one it is None, and `reason` says why.

    `last` is the newest backup, whose files need not be stored again; None where all of them shall be.
    """

    parent: Described | None
    reason: str | None
    last: Manifest | None = None

    @property
    def kind(self) -> Kind:
        """The kind of the backup to be made."""
        return "full" if self.parent is None else "incremental"


def lsn_dir(host: Host, backup_id: str) -> Path:
    """Where the LSNs of a backup are kept: beside the state of the machine, never in the data directory."""
    return host.machine.state_dir / LSN / backup_id


def decide(host: Host, wanted: Kind | None, facts: ServerFacts) -> Decision:
    """What to make: what was asked for, or by `full_every_days`; in any case a full one where nothing else is safe."""
    if wanted == "full":
        return Decision(None, "it was asked for")
    ids = host.catalog.backup_ids()
    if not ids:
        return Decision(None, "it is the first one")
    try:
        parent = host.catalog.described(ids[-1])
        chain = parents_of(host.catalog, parent.manifest)
    except IntegrityError as error:
        return Decision(None, f"the newest backup is not to be believed: {error.message}")
    reason = _by_policy(host, wanted, chain) or _no_successor(host, parent.manifest, facts)
    return Decision(None if reason else parent, reason, parent.manifest)


def note_origin(host: Host, backup_id: str, facts: ServerFacts) -> None:
    """Keep, beside the LSNs of a backup, which data directory they are of."""
    replace_file(lsn_dir(host, backup_id) / _ORIGIN, _origin(facts.datadir).encode())


def _by_policy(host: Host, wanted: Kind | None, chain: tuple[Manifest, ...]) -> str | None:
    settings, full = host.backup, chain[0]
    if len(chain) > settings.max_incrementals:
        return f"{len(chain) - 1} incremental ones follow the last full one, {full.id}"
    if wanted is None and utcnow() - full.started >= timedelta(days=settings.full_every_days) - SLACK:
        return f"the last full one, {full.id}, is {settings.full_every_days} days old"
    return None


def _no_successor(host: Host, parent: Manifest, facts: ServerFacts) -> str | None:
    """Why the server's data do not continue the parent's, or cannot be shown to."""
    return (
        _changed(host, parent, facts)
        or _other_lsns(host, parent)
        or _other_datadir(host, parent, facts)
        or _other_binlog(host, parent, facts)
    )


def _changed(host: Host, parent: Manifest, facts: ServerFacts) -> str | None:
    before, tool = parent.database, physical.installed_version()
    known = physical.VERSION.search(before.tool_version)
    for what, was, now in (
        ("for whom it is encrypted", _recipients(parent), host.backup.recipients),
        ("the server's version", before.server_version, facts.version),
        ("the version of mariadb-backup", known[0] if known else before.tool_version, tool),
        ("the server's id", before.server_id, facts.server_id),
        ("whether the server encrypts", before.encrypted, facts.keys.plugin is not None),
    ):
        if was != now:
            return f"{what} changed since {parent.id}: it was {was}, and is {now}"
    return None


def _recipients(parent: Manifest) -> tuple[str, ...]:
    return next(artefact.recipients for artefact in parent.artefacts if artefact.kind == "database")


def _other_lsns(host: Host, parent: Manifest) -> str | None:
    """The LSNs are kept on this machine alone, and may be another's, or gone."""
    found = physical.read_lsns(lsn_dir(host, parent.id)).get("to_lsn")
    if found is None:
        return f"the LSNs of {parent.id} are not on this machine"
    return None if found == parent.database.to_lsn else f"the LSNs on this machine are not those of {parent.id}"


def _other_datadir(host: Host, parent: Manifest, facts: ServerFacts) -> str | None:
    try:
        was = (lsn_dir(host, parent.id) / _ORIGIN).read_text()
    except OSError:
        return f"it is not known which data directory {parent.id} is of"
    return None if was == _origin(facts.datadir) else f"the data directory was replaced since {parent.id}"


def _origin(datadir: Path) -> str:
    """What a data directory has of its own: inodes and the seconds in which they were made. A restore makes new ones,
    and inode numbers alone come again."""
    places = (datadir, datadir / "mysql", datadir / "ibdata1")
    done = run(command("stat", "--format=%i %W", "--", *places), timeout_s=_STAT_TIMEOUT_S, check=False)
    return done.text()


def _other_binlog(host: Host, parent: Manifest, facts: ServerFacts) -> str | None:
    """Whether the server's binary log holds the parent's position with its GTIDs, or goes on from what was shipped."""
    file, position = parent.database.binlog_file, parent.database.binlog_position
    if not facts.binlog or file is None or position is None:
        return "without a binary log nothing shows that the server went on from its last backup"
    try:
        if begun := begun_anew_after(host.catalog, parent):
            return begun
        with connected_to(host) as connection:
            found = rows(connection, "SHOW BINARY LOGS")
            listing = Listing(facts.server_id, tuple(BinlogFile(str(name), int(size)) for name, size, *_ in found))
            if file not in [known.name for known in listing.files]:
                return _not_shipped_on(host, parent, listing)
            state = str(gtid_state(host, connection, file, position))
    except OpsError as error:
        return f"the binary log does not show that the server went on from {parent.id}: {error.message}"
    if state != parent.database.gtid_state:
        return f"the binary log is not that of {parent.id}: at byte {position} of {file} it is at '{state}'"
    return None


def _not_shipped_on(host: Host, parent: Manifest, listing: Listing) -> str | None:
    """Of a purged log, what was shipped has to hold the position, and the server has to go on from its end."""
    end = newest_end(host.catalog)
    if end is None:
        return f"the server no longer has {parent.database.binlog_file}, and it was not shipped"
    return plan(end.segment, listing).broken
