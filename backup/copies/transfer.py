"""One object from one store to another, held against its hash on the way out and again once it has arrived."""

import contextlib
from collections.abc import Callable, Iterator

from backup.codec import Meter
from backup.copies.throttle import Throttle
from backup.copies.units import Item
from backup.readback import fresh_chunks
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.store import ExistsError, Store, StoreError

Advance = Callable[[int], None]
_WRITTEN = "look at the other side's disk and at the line; nothing that needs it was published there"


def transfer(item: Item, source: Store, target: Store, *, throttle: Throttle, advance: Advance) -> int:
    """Copy one object and read it back; return the bytes sent, 0 when it was there already.

    What is there already, perhaps of a run that was killed before it had read it back, is read as well. Raises
    IntegrityError when the source is not what was sealed, or when what arrived is something else: that is removed again
    where this machine may do so. Raises what the stores raise.
    """
    try:
        sha256 = _send(item, source, target, throttle, advance)
    except ExistsError:
        _verify(item, target, item.sha256 or _hash(source, item.key))
        return 0
    failpoint("copy.arrived")
    _verify(item, target, sha256)
    return item.size


def _send(item: Item, source: Store, target: Store, throttle: Throttle, advance: Advance) -> str:
    """Publish the object at the target, if it is what it should be; return its SHA-256."""
    meter = Meter()
    with target.create(item.key) as upload:
        for chunk in _chunks(source, item.key, throttle.piece):
            meter(memoryview(chunk))
            throttle(len(chunk))
            upload.write(chunk)
            advance(len(chunk))
        if meter.size != item.size or (item.sha256 is not None and meter.sha256 != item.sha256):
            raise IntegrityError(
                f"{item.key} is not what was sealed, so it was not copied",
                where=source.where,
                hint="look at the disk: dmesg, smartctl; then run: opsctl backup verify --all",
            )
        upload.commit()
    return meter.sha256


def _verify(item: Item, target: Store, sha256: str) -> None:
    if _hash(target, item.key) == sha256:
        return
    with contextlib.suppress(OpsError):  # where a host may not delete, this is for whoever may
        target.delete(item.key)
    raise IntegrityError(f"{item.key} has other bytes than were sent", where=target.where, hint=_WRITTEN)


def _hash(store: Store, key: str) -> str:
    meter = Meter()
    try:
        with store.open(key) as stream:
            for chunk in fresh_chunks(stream):
                meter(chunk)
    except OSError as error:
        raise StoreError(f"{key} cannot be read: {error.strerror}", where=store.where, hint="dmesg") from error
    return meter.sha256


def _chunks(store: Store, key: str, piece: int) -> Iterator[bytes]:
    with store.open(key) as stream:
        while chunk := stream.read(piece):
            yield chunk
