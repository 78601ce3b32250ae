"""What faults change in a stream, an archive or a key file, and that all else stays as it was."""

import io
import struct
import tarfile
import zlib
from pathlib import Path

import pytest

from opsctl.core.errors import IntegrityError
from restore_drill.checks.page_keys import read_key_file
from restore_drill.self_test import archives, key_file, streams
from tests.support.key_file import write_keys


def chunk(name: str, data: bytes = b"", offset: int = 0, kind: bytes = b"P") -> bytes:
    """A chunk as mbstream writes it; format: backup/mbstream.py."""
    path = f"./{name}".encode()
    head = b"XBSTCK01\0" + kind + struct.pack("<I", len(path)) + path
    if kind != b"P":
        return head
    return head + struct.pack("<QQI", len(data), offset, zlib.crc32(data)) + data


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    parts = (
        chunk("crm/a.ibd", b"1" * 100),
        chunk("crm/b.ibd", b"2" * 50),
        chunk("crm/a.ibd", b"3" * 100, offset=100),
        chunk("crm/a.ibd", kind=b"E"),
        chunk("crm/b.ibd", kind=b"E"),
    )
    (tmp_path / "stream").write_bytes(b"".join(parts))
    return tmp_path / "stream"


def edited(stream: Path, edit: streams.Edit) -> bytes:
    streams.rewrite(stream, stream.with_name("edited"), edit)
    return stream.with_name("edited").read_bytes()


def test_a_stream_that_is_not_changed_stays_the_same_byte_for_byte(stream: Path) -> None:
    assert edited(stream, lambda chunks: chunks) == stream.read_bytes()


def test_a_file_is_left_out_with_all_its_chunks(stream: Path) -> None:
    assert edited(stream, streams.without(lambda name: name == "crm/a.ibd")) == (
        chunk("crm/b.ibd", b"2" * 50) + chunk("crm/b.ibd", kind=b"E")
    )


def test_zeros_begin_at_the_offset_and_carry_their_own_checksum(stream: Path) -> None:
    found = edited(stream, streams.zeroed(lambda name: name == "crm/a.ibd", 60))
    assert chunk("crm/a.ibd", b"1" * 60 + bytes(40)) in found
    assert chunk("crm/a.ibd", bytes(100), offset=100) in found
    assert chunk("crm/b.ibd", b"2" * 50) in found


def test_a_small_file_is_replaced(stream: Path) -> None:
    found = edited(stream, streams.replaced("crm/b.ibd", lambda data: data + b"more"))
    assert chunk("crm/b.ibd", b"2" * 50 + b"more") in found
    assert len(found) == stream.stat().st_size + 4


def test_what_is_no_stream_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stream").write_bytes(bytes(64))
    with pytest.raises(IntegrityError):
        edited(tmp_path / "stream", lambda chunks: chunks)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (("srv/one", b"1" * 600), ("srv/two", b"2"), ("srv/n\udcffame", b"3")):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid, member.mtime = len(data), 0o640, 33, 1_700_000_000
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("srv/link")
        link.type, link.linkname = tarfile.SYMTYPE, "two"
        tar.addfile(link)
    return tmp_path / "a.tar"


def test_an_archive_keeps_all_that_is_not_edited(archive: Path) -> None:
    target = archive.with_name("b.tar")
    archives.rewrite(archive, target, {"srv/one": b"other", "srv/two": None})
    assert archives.paths(target) == {"srv/one", "srv/n\udcffame", "srv/link"}
    assert archives.read(target, "srv/one") == b"other"
    assert archives.read(target, "srv/n\udcffame") == b"3"
    with tarfile.open(target) as tar:
        member = tar.getmember("srv/one")
    assert (member.mode, member.uid, member.mtime) == (0o640, 33, 1_700_000_000)


def test_a_plain_key_file_gets_other_keys_of_the_same_length() -> None:
    before = b"1;" + b"a" * 64 + b"\n2;" + b"b" * 32 + b" # old\n"
    after = key_file.edit(before, None, key_file.with_other_keys)
    assert len(after) == len(before)
    assert (after[:2], after[-7:]) == (b"1;", b" # old\n")
    assert after != before
    assert key_file.edit(before, None, key_file.without_key(2)) == b"1;" + b"a" * 64 + b"\n"


def test_a_sealed_key_file_is_sealed_again(tmp_path: Path) -> None:
    (tmp_path / "filekey").write_text("secret\n")
    write_keys(tmp_path / "keys", tmp_path / "filekey", [f"1;{'a' * 64}", f"3;{'b' * 64}"])
    data = key_file.edit((tmp_path / "keys").read_bytes(), b"secret\n", key_file.without_key(3))
    (tmp_path / "keys").write_bytes(data)
    assert read_key_file(tmp_path / "keys", tmp_path / "filekey") == {1: bytes.fromhex("a" * 64)}
