"""What a verification of the audit log leaves in the ledger."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from opsctl.core.clock import utcnow
from opsctl.core.ledger import Entry, Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.verdict import LogState, Verdict
from vault.verify.archive import ArchiveState
from vault.verify.run import Verified

KIND = "vault-verification"
FRESH_FOR = timedelta(days=2)
_OUTCOMES = {
    Verdict.PINNED: Outcome.PASSED,
    Verdict.RESTORED: Outcome.PASSED,
    Verdict.BROKEN: Outcome.FAILED,
}


class VerificationBody(BaseModel):
    """The verdict on the vault's audit log; rows up to `since` had been verified before. `root` is hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    origin: str
    size: int
    pinned: int
    since: int
    root: str
    broken: str | None
    archive_faults: int | None


def outcome_of(state: LogState) -> Outcome:
    """A log whose tail nothing pins was not proved to be whole."""
    return _OUTCOMES.get(state.verdict, Outcome.COULD_NOT_RUN)


def record(
    ledger: Ledger, stack: str, found: Verified, started: datetime, compared: ArchiveState | None = None
) -> Entry:
    """Write a verification into the ledger; a passed one is fresh for two days."""
    state, finished = found.state, utcnow()
    outcome = Outcome.FAILED if compared is not None and compared.faults else outcome_of(state)
    return ledger.append(
        Record[VerificationBody](
            kind=KIND,
            version=1,
            subject=stack,
            started=started,
            finished=finished,
            outcome=outcome,
            fresh_until=finished + FRESH_FOR if outcome is Outcome.PASSED else None,
            body=VerificationBody(
                verdict=state.verdict,
                origin=found.origin,
                size=state.size,
                pinned=state.pinned,
                since=found.since,
                root=state.root.hex(),
                broken=None if state.broken is None else state.broken.what,
                archive_faults=None if compared is None else compared.faults,
            ),
        )
    )
