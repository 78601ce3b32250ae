"""What a verification of the ledger leaves in the ledger itself."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from opsctl.core.clock import utcnow
from opsctl.core.ledger import Entry, Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.verdict import LogState, Verdict

KIND = "ledger-verification"
VERSION = 1
FRESH_FOR = timedelta(days=2)
_OUTCOMES = {Verdict.PINNED: Outcome.PASSED, Verdict.RESTORED: Outcome.PASSED, Verdict.BROKEN: Outcome.FAILED}


class LedgerVerificationBody(BaseModel):
    """The verdict on all rows before this one, of which a checkpoint pins the first `pinned`; `root` is hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    size: int
    pinned: int
    root: str
    broken: str | None


def record_verdict(ledger: Ledger, stack: str, state: LogState, started: datetime) -> Entry:
    """Write it; one that passed is fresh for two days. A log whose tail nothing pins was not proved to be whole."""
    finished = utcnow()
    outcome = _OUTCOMES.get(state.verdict, Outcome.COULD_NOT_RUN)
    return ledger.append(
        Record[LedgerVerificationBody](
            kind=KIND,
            version=VERSION,
            subject=stack,
            started=started,
            finished=finished,
            outcome=outcome,
            fresh_until=finished + FRESH_FOR if outcome is Outcome.PASSED else None,
            body=LedgerVerificationBody(
                verdict=state.verdict,
                size=state.size,
                pinned=state.pinned,
                root=state.root.hex(),
                broken=state.broken.what if state.broken else None,
            ),
        )
    )
