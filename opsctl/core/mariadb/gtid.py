"""MariaDB's global transaction ids, and the two kinds of state that are written with them.

https://mariadb.com/docs/server/ha-and-performance/standard-replication/gtid
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from opsctl.core.errors import ExitCode, OpsError


class GtidSyntaxError(OpsError):
    """A text is not a GTID, or not a list of GTIDs."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Gtid:
    """One transaction. Not ordered: sequence numbers compare only within a domain."""

    domain: int
    server_id: int
    seq: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `domain-server_id-sequence`, such as `0-1-42`. Raises GtidSyntaxError."""
        parts = text.strip().split("-")
        if len(parts) != 3 or not all(part.isascii() and part.isdecimal() for part in parts):
            raise GtidSyntaxError(f"{text!r} is not a GTID", hint="write domain-server_id-sequence, for example 0-1-42")
        domain, server_id, seq = map(int, parts)
        if domain >= 1 << 32 or server_id >= 1 << 32 or seq >= 1 << 64:
            raise GtidSyntaxError(
                f"{text!r} is not a GTID", hint="domain and server_id have 32 bits, the sequence number has 64"
            )
        return cls(domain, server_id, seq)

    def __str__(self) -> str:
        return f"{self.domain}-{self.server_id}-{self.seq}"


@dataclass(frozen=True, slots=True)
class GtidPosition:
    """One GTID for each domain: `@@gtid_slave_pos`, `@@gtid_binlog_pos`, the GTID in a backup's binlog info.

    `gtids` is sorted by domain.
    """

    gtids: tuple[Gtid, ...] = ()

    @classmethod
    def of(cls, gtids: Iterable[Gtid]) -> Self:
        """The position that holds for each domain the GTID that `gtids` names last."""
        latest = {gtid.domain: gtid for gtid in gtids}
        return cls(tuple(latest[domain] for domain in sorted(latest)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a comma-separated list, possibly empty, with at most one GTID a domain. Raises GtidSyntaxError."""
        gtids = _parse_list(text)
        position = cls.of(gtids)
        if len(position.gtids) != len(gtids):
            raise GtidSyntaxError(f"{text!r} names a replication domain twice")
        return position

    def __str__(self) -> str:
        return ",".join(map(str, self.gtids))

    def __iter__(self) -> Iterator[Gtid]:
        return iter(self.gtids)

    def __bool__(self) -> bool:
        return bool(self.gtids)

    def in_domain(self, domain: int) -> Gtid | None:
        """The last GTID of a domain, or None if the domain has none."""
        return next((gtid for gtid in self.gtids if gtid.domain == domain), None)

    def advance(self, gtid: Gtid) -> Self:
        """The position after `gtid` was applied."""
        return self.of((*self.gtids, gtid))

    def covers(self, gtid: Gtid) -> bool:
        """Whether a replica at this position has applied `gtid`: the sequence decides, whoever wrote it."""
        last = self.in_domain(gtid.domain)
        return last is not None and gtid.seq <= last.seq


@dataclass(frozen=True, slots=True)
class BinlogState:
    """The last GTID of each server in each domain: `@@gtid_binlog_state`, and the Gtid_list at a log's head.

    Which of a domain's entries was written last matters: it is the domain's position, and MariaDB lists it last.
    `gtids` is sorted by domain, then by server id, except that each domain's last written entry comes last.
    """

    gtids: tuple[Gtid, ...] = ()

    @classmethod
    def of(cls, gtids: Sequence[Gtid]) -> Self:
        """The state after `gtids` were written in this order."""
        latest = {(gtid.domain, gtid.server_id): gtid for gtid in gtids}
        writers = {gtid.domain: gtid.server_id for gtid in gtids}

        def place(gtid: Gtid) -> tuple[int, bool, int]:
            return gtid.domain, gtid.server_id == writers[gtid.domain], gtid.server_id

        return cls(tuple(sorted(latest.values(), key=place)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a comma-separated list, possibly empty, as `@@gtid_binlog_state` shows it. Raises GtidSyntaxError."""
        return cls.of(_parse_list(text))

    def __str__(self) -> str:
        return ",".join(map(str, self.gtids))

    def __iter__(self) -> Iterator[Gtid]:
        return iter(self.gtids)

    def __bool__(self) -> bool:
        return bool(self.gtids)

    def position(self) -> GtidPosition:
        """The GTID written last in each domain: what a replica that has applied everything stands at."""
        return GtidPosition.of(self.gtids)

    def advance(self, gtid: Gtid) -> Self:
        """The state after `gtid` was written."""
        return self.of((*self.gtids, gtid))

    def after(self, written: Mapping[tuple[int, int], int]) -> Self:
        """The state after {(domain, server id): sequence}, iterated from the least to the most recently written."""
        return self.of((*self.gtids, *(Gtid(domain, server_id, seq) for (domain, server_id), seq in written.items())))

    def covers(self, gtid: Gtid) -> bool:
        """Whether `gtid` was written: its server has written this or a later sequence number in its domain."""
        return any(
            (known.domain, known.server_id) == (gtid.domain, gtid.server_id) and gtid.seq <= known.seq
            for known in self.gtids
        )


def _parse_list(text: str) -> list[Gtid]:
    return [Gtid.parse(part) for part in text.split(",")] if text.strip() else []
