"""Which heartbeat a segment proves.

A heartbeat is found in a segment by its GTID, which the server told when it was written; reading it out of the row
events would need the table's definition at that time. So heartbeats are remembered in `machine.state_dir` until their
segment is sealed, which may be days later. One that was forgotten (a crash right after it was written, a lost state
directory) is never claimed: the recovery point then looks worse than it was, never better.
"""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from backup.binlog.session import Heartbeat
from opsctl.core.durable import replace_file
from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.binlog import FileScan
from opsctl.core.mariadb.gtid import Gtid


class _Remembered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    gtid: str


_LIST = TypeAdapter(tuple[_Remembered, ...])


class HeartbeatMemory:
    """The heartbeats of a stack whose segments are not sealed yet, oldest first."""

    def __init__(self, state_dir: Path, stack: str) -> None:
        self._path = state_dir / f"heartbeats-{stack}.json"

    def all(self) -> tuple[Heartbeat, ...]:
        """Raises IntegrityError when the file is not what was written."""
        try:
            remembered = _LIST.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except ValidationError as error:
            raise IntegrityError(
                "the remembered heartbeats cannot be read", where=str(self._path), hint=f"rm {self._path}"
            ) from error
        return tuple(Heartbeat(one.at, Gtid.parse(one.gtid)) for one in remembered)

    def remember(self, beat: Heartbeat) -> None:
        """Add a heartbeat, durably."""
        self._write((*self.all(), beat))

    def forget_until(self, at: datetime) -> None:
        """Drop this heartbeat and the older ones: they are sealed, or lost with the log that held them."""
        self._write(tuple(beat for beat in self.all() if beat.at > at))

    def newest_in(self, scan: FileScan) -> datetime | None:
        """The newest heartbeat in a file.

        After RESET MASTER the same GTIDs come again, so a heartbeat from before the file was begun is not in it.
        """
        found = [
            beat.at
            for beat in self.all()
            if scan.last_state.covers(beat.gtid)
            and not scan.first_state.covers(beat.gtid)
            and beat.at.replace(microsecond=0) >= scan.created
        ]
        return max(found, default=None)

    def _write(self, beats: tuple[Heartbeat, ...]) -> None:
        remembered = tuple(_Remembered(at=beat.at, gtid=str(beat.gtid)) for beat in beats)
        replace_file(self._path, _LIST.dump_json(remembered))
