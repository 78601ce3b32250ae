"""Reading back what was written, whatever it was written to."""

import fcntl
import io
import os
import secrets
from pathlib import Path

import pytest

from backup.readback import PIECE, fresh_chunks

SIZES = [0, 1, 4095, 4096, 4097, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 513]


def joined(stream: io.BufferedIOBase) -> bytes:
    return b"".join(bytes(chunk) for chunk in fresh_chunks(stream))


@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_any_size_is_read_whole(tmp_path: Path, size: int) -> None:
    data = secrets.token_bytes(size)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as stream:
        assert joined(stream) == data


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_that_is_no_file_is_read_whole(size: int) -> None:
    data = secrets.token_bytes(size)
    assert joined(io.BytesIO(data)) == data


def test_a_file_in_memory_which_has_no_direct_way_is_read_whole() -> None:
    data = secrets.token_bytes(PIECE + 5)
    descriptor = os.memfd_create("test")
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        file.write(data)
        file.seek(0)
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            assert joined(stream) == data


def test_reading_begins_where_the_stream_stands(tmp_path: Path) -> None:
    data = secrets.token_bytes(PIECE + 5000)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as stream:
        stream.seek(4321)
        assert joined(stream) == data[4321:]


def test_the_disk_is_read_and_not_the_memory_where_that_is_possible(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with (tmp_path / "file").open("rb") as stream:
        try:
            possible = os.open(tmp_path / "file", os.O_RDONLY | os.O_DIRECT)
        except OSError:
            possible = -1
        next(fresh_chunks(stream))
        direct = bool(fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_DIRECT)
    assert direct is (possible >= 0)
    if possible >= 0:
        os.close(possible)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    write_only = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)

    class Broken(io.BytesIO):
        def fileno(self) -> int:
            return write_only

    with pytest.raises(OSError, match="Bad file descriptor"):
        joined(Broken())
    os.close(write_only)
