"""Apply binary logs to the scratch server: by its relay log and the serial applier, which stops exactly."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Replayed:
    """What a replay came to, each figure proved by the scratch server and the logs alike.

    `stop_description` says the stop in words. `gtid_state`: the whole binlog state there; `gtid_position`:
    @@gtid_slave_pos, equal to it. `transactions` and `segments` were applied, in `duration_s` seconds. `heartbeat` is
    what the restored heartbeat table says (UTC), None when there is no such table or row. `warnings` are sentences for
    the operator: what the logs could not bring back, or could have brought back further.
    """

    stop_description: str
    gtid_state: str
    gtid_position: str
    transactions: int
    segments: int
    last_transaction_time: datetime | None
    heartbeat: datetime | None
    duration_s: float
    warnings: tuple[str, ...]
