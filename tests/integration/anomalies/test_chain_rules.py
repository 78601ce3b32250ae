"""Rules about chained logs, on real ledgers that were tampered with, and checkpoints that really pin them."""

import contextlib
import sqlite3
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from anomaly_rules.collectors.chains import ChainLook, State
from backup.binlog.records import ShipmentBody
from backup.checkpoints import publish_checkpoint, verify_ledger
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import TrustSection
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.signing import Verifier, allowed_signers_line, create_key
from opsctl.core.store.directory import DirectoryStore
from tests.support.measuring import NOW, Bench

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Chain:
    """The ledger, its checkpoints in a repository, and the look at both."""

    def __init__(self, directory: Path) -> None:
        self.ledger = SqliteLedger(directory / "ledger.sqlite")
        self.store = DirectoryStore(directory / "repository")
        create_key(directory / "key", "host@acme")
        line = allowed_signers_line("host@acme", directory / "key.pub")
        (directory / "signers").write_text(line if line.endswith("\n") else f"{line}\n")
        self.trust = TrustSection(
            signer="host@acme", signing_key=directory / "key", allowed_signers=directory / "signers"
        )
        self.checkpoint: datetime | None = None

    def fill(self) -> None:
        """Thirty records of runs."""
        for hour in range(30):
            body = ShipmentBody(server="s", segments=(), heartbeat=None, gaps=(), full_backup_due=None, error=None)
            finished = NOW - 9 * DAY + hour * HOUR
            self.ledger.append(
                Record[ShipmentBody](
                    kind="shipment", version=1, subject="acme", started=finished, finished=finished,
                    outcome=Outcome.PASSED, fresh_until=None, body=body,
                )
            )  # fmt: skip

    def pin(self, at: datetime) -> None:
        publish_checkpoint(self.store, "acme", self.ledger, self.trust)
        self.checkpoint = at

    def state(self) -> State:
        found = verify_ledger(self.ledger, self.store, "acme", Verifier(self.trust.allowed_signers))
        return State(found.verdict, NOW - 9 * DAY, self.checkpoint)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def test_a_ledger_that_is_whole_and_pinned_raises_nothing(chain: Chain, tmp_path: Path) -> None:
    chain.fill()
    chain.pin(NOW - HOUR)
    bench = Bench(tmp_path, [ChainLook("ledger", chain.state)])
    bench.read()
    bench.assert_quiet("chain-broken")
    bench.assert_quiet("checkpoint-missing")


@pytest.mark.parametrize("what", ["a row that was changed", "a tail that was cut"])
def test_a_ledger_that_was_changed_is_found(chain: Chain, tmp_path: Path, what: str) -> None:
    chain.fill()
    chain.pin(NOW - HOUR)
    with contextlib.closing(sqlite3.connect(chain.ledger.path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER entry_no_update")
        db.execute("DROP TRIGGER entry_no_delete")
        if "cut" in what:
            db.execute("DELETE FROM entry WHERE seq > 20")
        else:
            db.execute("UPDATE entry SET payload = replace(payload, 'passed', 'failed') WHERE seq = 3")
    bench = Bench(tmp_path, [ChainLook("ledger", chain.state)])
    bench.read()
    bench.assert_fires("chain-broken", about="ledger")


def test_a_ledger_that_nothing_pins_any_more_is_found(chain: Chain, tmp_path: Path) -> None:
    chain.fill()
    bench = Bench(tmp_path, [ChainLook("ledger", chain.state)])
    bench.read()
    assert bench.assert_fires("checkpoint-missing").evidence.value == pytest.approx(9 * 24)
    chain.pin(NOW)
    bench.read(NOW + 49 * HOUR)
    bench.assert_quiet("checkpoint-missing", NOW + 49 * HOUR)
    bench.read(NOW + 51 * HOUR)
    bench.assert_fires("checkpoint-missing", NOW + 51 * HOUR)


def test_a_machine_without_a_ledger_yet_has_nothing_broken(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [ChainLook("ledger", partial(State, None, None, None))])
    bench.read()
    assert bench.findings("chain-broken") == []
