"""Stores that fail on purpose, each in one way, around any store that works."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BufferedIOBase, BytesIO
from types import TracebackType
from typing import Self

from opsctl.core.errors import UnreachableError
from opsctl.core.store import Store, Stored, StoreError, Upload


class WrappedUpload:
    """Passes everything on."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload

    def write(self, data: memoryview | bytes) -> None:
        self.upload.write(data)

    def commit(self) -> Stored:
        return self.upload.commit()

    def abort(self) -> None:
        self.upload.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class WrappedStore:
    """Passes everything on."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def where(self) -> str:
        return self.store.where

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        return self.store.create(key, retain_until=retain_until)

    def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
        return self.store.open(key, offset=offset)

    def stat(self, key: str) -> Stored | None:
        return self.store.stat(key)

    def list(self, prefix: str, *, ending: str = "") -> Iterator[Stored]:
        return self.store.list(prefix, ending=ending)

    def delete(self, key: str) -> None:
        self.store.delete(key)

    def remove_partials(self, prefix: str, *, older_than: datetime) -> int:
        return self.store.remove_partials(prefix, older_than=older_than)


class FlipsLastByte(WrappedStore):
    """What arrives differs from what was sent in the last bit of all."""

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        return _SpoiltEnd(self.store.create(key, retain_until=retain_until), lambda end: bytes([end[0] ^ 1]))


class Truncates(WrappedStore):
    """The last byte never arrives."""

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        return _SpoiltEnd(self.store.create(key, retain_until=retain_until), lambda end: b"")


class _SpoiltEnd(WrappedUpload):
    """Keeps the last byte back, and spoils it."""

    def __init__(self, upload: Upload, spoil: Callable[[bytes], bytes]) -> None:
        super().__init__(upload)
        self._spoil = spoil
        self._end = b""

    def write(self, data: memoryview | bytes) -> None:
        whole = self._end + bytes(data)
        self.upload.write(whole[:-1])
        self._end = whole[-1:]

    def commit(self) -> Stored:
        self.upload.write(self._spoil(self._end))
        return self.upload.commit()


class FailsAtWrite(WrappedStore):
    """The nth write of an upload fails."""

    def __init__(self, store: Store, nth: int) -> None:
        super().__init__(store)
        self.nth = nth

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        return _Counting(self.store.create(key, retain_until=retain_until), self._look)

    def _look(self, writes: int, size: int) -> None:
        if writes == self.nth:
            raise StoreError("input/output error", where=self.where)


class IsFull(WrappedStore):
    """Has room for so many bytes of an upload."""

    def __init__(self, store: Store, room: int) -> None:
        super().__init__(store)
        self.room = room

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        return _Counting(self.store.create(key, retain_until=retain_until), self._look)

    def _look(self, writes: int, size: int) -> None:
        if size > self.room:
            raise StoreError("no space left on device", where=self.where)


class Hangs(WrappedStore):
    """The second write takes no bytes until `let_go` is set."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.let_go = threading.Event()

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        return _Counting(self.store.create(key, retain_until=retain_until), self._look)

    def _look(self, writes: int, size: int) -> None:
        if writes == 2:
            self.let_go.wait()
            raise StoreError("came back too late", where=self.where)


class LosesConnection(WrappedStore):
    """After so many bytes of an upload nothing can be reached any more, not even to clear up."""

    def __init__(self, store: Store, after: int) -> None:
        super().__init__(store)
        self.after = after
        self.uploads: list[Upload] = []

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        self.uploads.append(self.store.create(key, retain_until=retain_until))
        return _Counting(self.uploads[-1], self._look, clears_up=False)

    def _look(self, writes: int, size: int) -> None:
        if size > self.after:
            raise UnreachableError("the connection was lost", where=self.where)


class _Counting(WrappedUpload):
    """Looks at the number of writes and bytes before each write is passed on."""

    def __init__(self, upload: Upload, look: Callable[[int, int], None], *, clears_up: bool = True) -> None:
        super().__init__(upload)
        self._look = look
        self._clears_up = clears_up
        self._writes = 0
        self._size = 0

    def write(self, data: memoryview | bytes) -> None:
        self._writes += 1
        self._size += len(data)
        self._look(self._writes, self._size)
        self.upload.write(data)

    def abort(self) -> None:
        if self._clears_up:
            self.upload.abort()


class Forgets(WrappedStore):
    """Says that an object was published, and has none."""

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        return _Forgotten(self.store.create(key, retain_until=retain_until), self.store, key)


class _Forgotten(WrappedUpload):
    def __init__(self, upload: Upload, store: Store, key: str) -> None:
        super().__init__(upload)
        self._store = store
        self._key = key

    def commit(self) -> Stored:
        stored = self.upload.commit()
        self._store.delete(self._key)
        return stored


class Rots(WrappedStore):
    """What is read differs in its middle from what was written."""

    def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
        with self.store.open(key) as stream:
            data = bytearray(stream.read())
        data[len(data) // 2] ^= 1
        return BytesIO(data[offset:])


class ListsStale(WrappedStore):
    """Lists what there was when it was made."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._then = list(store.list(""))

    def list(self, prefix: str, *, ending: str = "") -> Iterator[Stored]:
        return (item for item in self._then if item.key.startswith(prefix) and item.key.endswith(ending))
