"""Watching an mbstream pass by."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.mbstream import StreamContent, StreamError, StreamWatch
from tests.unit.backup.mbstreams import chunk, end, payload, rename, whole

KEEP = frozenset({"xtrabackup_info", ".ren"})
STREAM = (
    payload("db/a.ibd", b"A" * 3000)
    + payload("db/b.ibd", b"B" * 10)
    + chunk(b"S", "db/a.ibd", bytes(8))
    + payload("db/a.ibd", b"a" * 50, 3000)
    + end("db/b.ibd")
    + end("db/a.ibd")
    + whole("db/old.ren", b"db/new")
    + whole("db/temporary.ibd")
    + chunk(b"D", "db/temporary.ibd")
    + whole("db/before.frm")
    + rename("db/before.frm", "db/after.frm")
    + payload("xtrabackup_info", b"tool_")
    + payload("xtrabackup_info", b"version = 10", 5)
    + end("xtrabackup_info")
)
FILES = {"db/a.ibd", "db/b.ibd", "db/old.ren", "db/after.frm", "xtrabackup_info"}


def watched(*pieces: bytes) -> StreamContent:
    watch = StreamWatch(KEEP)
    for piece in pieces:
        watch(memoryview(piece))
    return watch.finish()


def test_a_whole_stream_tells_its_files_and_the_content_of_those_to_keep() -> None:
    content = watched(STREAM)
    assert content.files == FILES
    assert content.kept == {"db/old.ren": b"db/new", "xtrabackup_info": b"tool_version = 10"}


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_it_does_not_matter_where_the_bytes_are_cut_into_pieces(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:stop] for start, stop in pairwise(edges)]
    assert watched(*pieces) == watched(STREAM)


def test_a_stream_cut_at_any_byte_inside_a_file_is_no_whole_stream() -> None:
    files = payload("db/a.ibd", b"AAAA") + end("db/a.ibd") + payload("xtrabackup_info", b"i") + end("xtrabackup_info")
    boundary = len(payload("db/a.ibd", b"AAAA") + end("db/a.ibd"))
    for length in range(len(files)):
        if length == boundary:
            continue  # between two files nothing shows: what was to follow has to be known, as physical.py does
        with pytest.raises(StreamError):
            watched(files[:length])
    assert watched(files).files == {"db/a.ibd", "xtrabackup_info"}


@pytest.mark.parametrize(
    "stream",
    [
        b"not an mbstream at all",
        whole("db/a.ibd").replace(b"XBSTCK01", b"XBSTCK02"),
        chunk(b"Z", "db/a.ibd"),
        b"XBSTCK01" + b"\0P" + b"\xff\xff\xff\xff",
        chunk(b"R", "db/a.ibd", b"\xff\xff\xff\xff"),
        payload("xtrabackup_info", bytes((1 << 20) + 1)),
    ],
    ids=["text", "another magic", "unknown type", "endless path", "endless new name", "too large to keep"],
)
def test_what_is_no_mbstream_is_refused(stream: bytes) -> None:
    with pytest.raises(StreamError):
        watched(stream)
