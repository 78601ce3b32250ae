"""Faults in binary logs, made before they were sealed: hashes, chain and signatures hold."""

from backup.segment import Segment
from opsctl.core.mariadb.binlog import scan, transactions
from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import Fault, InapplicableError
from restore_drill.self_test.faults_at_rest import flip_bit


def _segment(bench: Bench) -> Segment:
    """One that holds transactions: the one before the last, so that another follows, if there are several."""
    found = [segment for _, segment in bench.replayed() if segment.transactions]
    if not found:
        raise InapplicableError("no transaction was shipped since the backup")
    return found[-2:][0]


def _cut(bench: Bench) -> None:
    """Before its last transaction; its record says what is left, as it would if the file had been fetched like that."""
    segment = _segment(bench)
    whole = bench.model.plain_segment(segment)
    *_, last = transactions(whole)
    content = bench.fresh_file(whole.read_bytes()[: last.start])
    found = scan(content)
    bench.change_segment(
        segment.number,
        content,
        last_state=str(found.last_state),
        end_position=found.end_position,
        transactions=found.transactions,
        first_time=found.first_time,
        last_time=found.last_time,
    )


def _flip(bench: Bench) -> None:
    segment = _segment(bench)
    content = bench.fresh_file(bench.model.plain_segment(segment).read_bytes())
    flip_bit(content)
    bench.change_segment(segment.number, content)


FAULTS = (
    Fault("segment-cut", "content", "a binary log was cut between two transactions", "replay", _cut),
    Fault("segment-flip", "content", "a bit had flipped in a binary log before it was sealed", "replay", _flip),
)
