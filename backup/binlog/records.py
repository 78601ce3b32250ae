"""What a shipment leaves in the ledger."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

KIND = "shipment"
VERSION = 1


class ShippedSegment(BaseModel):
    """One sealed binary log: its record's place, its sizes in bytes, its GTID state at the end.

    `checksummed` is false when the server wrote the file without checksums, so that only its structure was verified.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lineage: str
    number: int
    name: str
    plain_size: int
    cipher_size: int
    transactions: int
    last_state: str
    checksummed: bool


class ShipmentBody(BaseModel):
    """The body of a record of kind `shipment`. All times are UTC.

    `heartbeat` was written just before the last flush and is in the last segment; None when it did not come to that.
    `gaps` says why each lineage that this run began could not continue the one before; the first lineage is no gap.
    `full_backup_due` says why a full backup is needed, `error` why the run failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: str | None
    segments: tuple[ShippedSegment, ...]
    heartbeat: datetime | None
    gaps: tuple[str, ...]
    full_backup_due: str | None
    error: str | None
