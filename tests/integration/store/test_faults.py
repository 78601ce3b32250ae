"""Every fault of a store, around every kind of store: none ends in an archive that looks whole."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from backup.codec import read_back, seal
from opsctl.core.errors import IntegrityError, OpsError, UnreachableError
from opsctl.core.pipeline import Source, StalledError
from opsctl.core.store import ExistsError, MissingError, Store, StoreError, get, put
from opsctl.core.store.directory import DirectoryStore
from tests.support.faulty_store import (
    FailsAtWrite,
    FlipsLastByte,
    Forgets,
    Hangs,
    IsFull,
    ListsStale,
    LosesConnection,
    Rots,
    Truncates,
    WrappedStore,
)

KEY = "acme/backups/one/db.zst.age"
DATA = random.Random(1).randbytes(3 << 20)
RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())

# What the fault is, what it must end in, and whether something may then stand under the key.
FAULTS: dict[str, tuple[Callable[[Store], WrappedStore], type[OpsError], bool]] = {
    "flips the last byte": (FlipsLastByte, IntegrityError, True),
    "truncates": (Truncates, IntegrityError, True),
    "rots": (Rots, IntegrityError, True),
    "fails at the first write": (lambda store: FailsAtWrite(store, 1), StoreError, False),
    "fails at the third write": (lambda store: FailsAtWrite(store, 3), StoreError, False),
    "is full": (lambda store: IsFull(store, 1_000_000), StoreError, False),
    "loses the connection": (lambda store: LosesConnection(store, 1_000_000), UnreachableError, False),
    "hangs": (Hangs, StalledError, False),
    "forgets": (Forgets, MissingError, False),
}


@pytest.fixture(params=["directory", "sftp", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind that works."""
    if request.param == "directory":
        return DirectoryStore(tmp_path / "repository")
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


def _archive(store: Store) -> None:
    """Seal, publish and read back, as every archive of a backup is."""
    source = Source(io.BytesIO(DATA))
    stall_s = 0.5 if isinstance(store, Hangs) else 60
    with store.create(KEY) as upload:
        sealed, _ = seal([source], upload, recipients=[RECIPIENT], level=1, threads=1, timeout_s=120, stall_s=stall_s)
        stored = upload.commit()
    read_back(store, stored, sealed)


def test_without_a_fault_an_archive_is_there_and_reads_back(store: Store) -> None:
    _archive(WrappedStore(store))
    assert [item.key for item in store.list("")] == [KEY]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_and_leaves_nothing_that_looks_whole(store: Store, fault: str) -> None:
    make, error, stands = FAULTS[fault]
    faulty = make(store)
    with pytest.raises(OpsError) as caught:
        _archive(faulty)
    assert type(caught.value) is error
    assert (store.stat(KEY) is not None) is stands
    assert [item.key for item in store.list("")] == ([KEY] if stands else [])
    if isinstance(faulty, Hangs):
        faulty.let_go.set()
    if isinstance(faulty, LosesConnection):
        faulty.uploads[0].abort()


def test_a_stale_listing_leads_to_no_overwriting(store: Store) -> None:
    stale = ListsStale(store)
    put(store, KEY, b"first")
    assert list(stale.list("")) == []
    with pytest.raises(ExistsError):
        put(stale, KEY, b"second")
    assert get(stale, KEY) == b"first"


def test_what_only_a_stale_listing_shows_cannot_be_read(store: Store) -> None:
    put(store, KEY, b"first")
    stale = ListsStale(store)
    store.delete(KEY)
    assert [item.key for item in stale.list("")] == [KEY]
    assert stale.stat(KEY) is None
    with pytest.raises(MissingError):
        get(stale, KEY)
