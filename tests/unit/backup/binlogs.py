"""Segments and manifests for tests that need no server."""

from datetime import UTC, datetime, timedelta

from backup.codec import Sealed
from backup.manifest import Database, Manifest
from backup.segment import NO_RECORD, Segment

START = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """So many minutes after the beginning."""
    return START + timedelta(minutes=minutes)


def segment(name: str, first: str, last: str, *, minute: float, number: int = 1, size: int = 1000) -> Segment:
    """A segment sealed at `minute`, whose transactions began a minute before."""
    return Segment(
        stack="acme",
        server="s7",
        lineage="20260501T020000000000Z-00000000",
        lineage_reason="first shipment",
        number=number,
        name=name,
        key=f"acme/binlog/s7/x/{name}.y.zst.age",
        sealed=Sealed(plain_size=size, plain_sha256="0" * 64, cipher_size=size, cipher_sha256="0" * 64),
        server_version="10.11.19-MariaDB",
        first_state=first,
        last_state=last,
        end_position=size - 41,
        transactions=1,
        first_time=at(minute - 1),
        last_time=at(minute),
        heartbeat=at(minute),
        heartbeat_before=None,
        sealed_at=at(minute),
        previous=NO_RECORD,
    )


def manifest(
    file: str | None, position: int, state: str, *, minute: float, kind: str = "full", server_id: int = 7
) -> Manifest:
    """A backup that finished at `minute` and stands at a position of the binary log."""
    return Manifest(
        id=f"{at(minute):%Y%m%dT%H%M%SZ}-{kind}-00000000",
        stack="acme",
        kind="full" if kind == "full" else "incremental",
        parent=None,
        started=at(minute - 1),
        finished=at(minute),
        opsctl_version="0",
        host="host",
        artefacts=(),
        database=Database(
            server_version="10.11.19-MariaDB",
            tool_version="10.11.19",
            server_id=server_id,
            from_lsn="0",
            to_lsn="1",
            last_lsn="1",
            binlog_file=file,
            binlog_position=position,
            gtid_position=state,
            gtid_state=state,
            encrypted=False,
            key_file=None,
            filekey_file=None,
            tables=(),
        ),
        files=(),
        sites=(),
        web_server=None,
        keys=(),
        phases=(),
    )
