"""The verdict on the audit log of a vault."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from opsctl.core import chain
from opsctl.core.chain import Break
from opsctl.core.checkpoint import Checkpoint, origin_of
from opsctl.core.errors import ExitCode, IntegrityError, OpsError, SettingsError
from opsctl.core.machine import TrustSection
from opsctl.core.mariadb.connect import Connection
from opsctl.core.merkle import Tree
from opsctl.core.progress import Progress, Silent
from opsctl.core.signing import Signer
from opsctl.core.verdict import LogState, Verdict
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.verify import checkpoints
from vault.verify.checkpoints import LOG, Custody, Note, Published
from vault.verify.lineage import OnServer, Renewed, trace
from vault.verify.rows import bounds
from vault.verify.walk import Connect, Log, Walked, walk


@dataclass(frozen=True)
class Scope:
    """How much to read: by default what is behind the newest checkpoint, or behind the one with the key `since`.

    `may_be_older`: checkpoints that have seen more rows are no fault, as in a backup.
    """

    full: bool = False
    since: str | None = None
    parallel: int = 1
    may_be_older: bool = False


@dataclass(frozen=True)
class Verified:
    """The verdict on a log; rows up to `since` were not read. `newest` is the largest checkpoint of it."""

    state: LogState
    origin: str
    since: int
    newest: Checkpoint | None = None
    renewed: Renewed | None = None
    walked: Walked = field(default_factory=Walked, repr=False)


def reader(vault: Vault) -> Connect:
    """Connects as the account that reads."""
    return partial(replace(vault, progress=Silent()).connect, Role.READER)


def verify(connect: Connect, custody: Custody, scope: Scope, progress: Progress) -> Verified:
    """Check the log and hold it against every trusted checkpoint of it.

    Raises OpsError when there is no log, SignatureError when a checkpoint that matters is by nobody trusted.
    """
    with connect() as connection:
        log_id = _log_id(connection)
        origin = origin_of(log_id, custody.stack, LOG)
        notes = custody.notes(log_id)
        try:
            low, last = bounds(connection)
        except IntegrityError as error:
            return _broken(origin, Break(1, error.message))
        if low < 1:
            return _broken(origin, Break(low, f"there is a row {low}; the first one is 1"))
        lineage = trace(OnServer(connection, connect), custody, log_id, deep=scope.full)
        start = Walked() if scope.full else _start(custody, notes, scope.since, last)
        begun = start.tree.size
        start.broken = _joint(connection, log_id, start)
    if start.broken is None:
        marks = sorted({note.checkpoint.size for note in notes})
        progress.step("walking the audit log")
        start = walk(Log(log_id, connect), last, marks, start=start, parallel=scope.parallel, progress=progress)
    state = judge(custody, notes, start, begun, may_be_older=scope.may_be_older)
    # Of a backup made before a renewal, what was renewed later is still to come.
    state = lineage.judge(state, may_be_older=scope.may_be_older)
    return Verified(state, origin, begun, notes[-1].checkpoint if notes else None, lineage.renewed, start)


def checkpoint(
    connect: Connect, custody: Custody, scope: Scope, trust: TrustSection, progress: Progress
) -> tuple[Verified, Published]:
    """Verify, and sign where the log stands. Raises IntegrityError when it is broken: that must never be signed."""
    Signer(trust.signing_key).check()
    found = verify(connect, custody, scope, progress)
    if found.state.broken is not None:
        raise IntegrityError(
            f"the audit log is broken, so nothing is signed: {found.state.broken.what}",
            hint="opsctl vault verify --full",
        )
    return found, checkpoints.publish(custody.stores, custody.stack, found.origin, found.walked, trust)


def _log_id(connection: Connection) -> bytes:
    log_id = audit.log_id(connection)
    if log_id is None:
        hint = "opsctl vault init; or, if a renewal was interrupted: opsctl vault renew"
        raise OpsError("the vault has no audit log", hint=hint, exit_code=ExitCode.PARTIAL)
    return log_id


def _start(custody: Custody, notes: Sequence[Note], since: str | None, last: int) -> Walked:
    """Where to begin: behind the newest checkpoint that the log is long enough for."""
    if since is not None:
        chosen = [note for note in notes if note.key == since or note.key.endswith("/" + since)]
        if not chosen:
            raise SettingsError(
                f"there is no checkpoint '{since}' of this log",
                hint=f"the newest is {notes[-1].key}" if notes else "opsctl vault checkpoint",
            )
        return checkpoints.resume(custody.verifier, chosen[0])
    usable = [note for note in notes if note.checkpoint.size <= last]
    return checkpoints.resume(custody.verifier, usable[-1]) if usable else Walked()


def _joint(connection: Connection, log_id: bytes, start: Walked) -> Break | None:
    """Whether the last row that was verified earlier is still the same."""
    size = start.tree.size
    if size == 0:
        return None
    for row in audit.read(connection, first=size, last=size):
        if chain.row_hash(log_id, row.seq, row.prev_hash, row.payload) == row.row_hash == start.last:
            return None
        return Break(size, f"row {size} is not what it was at the checkpoint")
    return Break(size, f"row {size} is missing")


def judge(
    custody: Custody, notes: Sequence[Note], walked: Walked, begun: int, *, may_be_older: bool = False
) -> LogState:
    """Compare with checkpoints. Signatures are looked at where they matter: the newest that agrees, all that do not."""
    tree, size = walked.tree, walked.tree.size
    agreeing = [note for note in notes if walked.roots.get(note.checkpoint.size) == note.checkpoint.root]
    opposing = [note for note in notes if note not in agreeing and note.checkpoint.size >= begun]
    if may_be_older:
        opposing = [note for note in opposing if note.checkpoint.size <= size]
    for note in (*agreeing[-1:], *opposing):
        checkpoints.check_signature(custody.verifier, note)
    pinned = agreeing[-1].checkpoint.size if agreeing else 0
    broken = walked.broken
    differing = [note.checkpoint for note in opposing if note.checkpoint.size <= size]
    if broken is None and differing:
        broken = Break(differing[0].size, f"the first {differing[0].size} rows are not those of the checkpoint")
    elif broken is None and opposing:
        broken = Break(size + 1, _shorter(size, opposing[-1].checkpoint, pinned))
    if broken is not None:
        return LogState(Verdict.BROKEN, size, tree.root(), pinned, broken)
    return LogState(Verdict.PINNED if pinned else Verdict.UNPINNED, size, tree.root(), pinned)


def _shorter(size: int, newest: Checkpoint, pinned: int) -> str:
    said = f"the log ends after {size} rows; a checkpoint of {newest.at:%Y-%m-%d %H:%M} UTC has seen {newest.size}"
    if pinned:
        return f"{said}; what is there agrees with older checkpoints: the tail was cut, or an older copy was restored"
    return said


def _broken(origin: str, what: Break) -> Verified:
    return Verified(LogState(Verdict.BROKEN, 0, Tree().root(), 0, what), origin, 0)
