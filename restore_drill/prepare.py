"""Make a datadir out of what mariadb-backup copied: `mariadb-backup --prepare`, in the sandbox."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prepared:
    """What a prepared backup says of itself: LSNs as decimal strings; `gtid` as the tool wrote it, which leaves out
    domains last written by another server. `binlog_file` and `binlog_position` are None without a binary log."""

    from_lsn: str
    to_lsn: str
    last_lsn: str
    binlog_file: str | None
    binlog_position: int | None
    gtid: str
