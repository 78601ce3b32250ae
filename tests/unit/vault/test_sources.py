"""Where exports come from; and zips that no phone has written are refused before a byte is unpacked."""

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from opsctl.core.errors import OpsError, SettingsError
from tests.support.exports import chat, write, write_zip
from vault.importing.source import CHUNK, open_export
from vault.importing.zipped import HostileZipError

TEXT = chat(0, 3)


def read(path: Path) -> bytes:
    export = open_export(path)
    with export.open_text() as stream:
        return stream.read()


def test_ios_has_its_name_for_the_text(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"_chat.txt": TEXT, "00000012-notes.txt": "x", "a.jpg": b"jpg"})
    assert read(path) == TEXT.encode()
    assert set(open_export(path).media().values()) == {"00000012-notes.txt", "a.jpg"}


def test_android_names_the_chat(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"WhatsApp Chat with Bob.txt": TEXT, "notes.txt": "x"})
    assert read(path) == TEXT.encode()


def test_a_folder_packed_by_a_mac(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"Chat/_chat.txt": TEXT, "Chat/e\u0301.jpg": b"x", "__MACOSX/Chat/._chat.txt": b"x"}
    export = open_export(write_zip(tmp_path / "x.zip", files))
    assert (export.text, list(export.media().values())) == ("Chat/_chat.txt", ["\u00e9.jpg"])


def test_a_directory(tmp_path: Path) -> None:
    write(tmp_path / "_chat.txt", TEXT)
    write(tmp_path / "a.jpg", b"x")
    (tmp_path / "folder").mkdir()
    assert read(tmp_path) == TEXT.encode()
    assert list(open_export(tmp_path).media()) == ["a.jpg"]


def test_a_text_alone_whatever_its_name(tmp_path: Path) -> None:
    assert read(write(tmp_path / "bob.text", TEXT)) == TEXT.encode()


def test_what_is_not_there_or_has_no_text_or_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such export"):
        open_export(tmp_path / "nothing.zip")
    with pytest.raises(OpsError, match="found: none"):
        open_export(write_zip(tmp_path / "x.zip", {}))
    with pytest.raises(OpsError, match=r"found: a\.txt, b\.txt"):
        open_export(write_zip(tmp_path / "y.zip", {"a.txt": TEXT, "b.txt": TEXT}))


def test_a_link_in_a_directory_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "_chat.txt", TEXT)
    (tmp_path / "a.jpg").symlink_to("/etc/hostname")
    with pytest.raises(OpsError, match=r"'a\.jpg' is no ordinary file"):
        open_export(tmp_path)


@pytest.mark.parametrize(
    "name", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "..\\x.jpg", "C:\\x.jpg", "\\\\host\\share"]
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostileZipError, match="leads out"):
        open_export(write_zip(tmp_path / "x.zip", {"_chat.txt": TEXT, name: b"x"}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_chat.txt", TEXT)
        entry = zipfile.ZipInfo("a.jpg")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(HostileZipError, match="link or device"):
        open_export(path)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostileZipError, match="would unpack to"):
        open_export(write_zip(tmp_path / "x.zip", {"_chat.txt": TEXT, "a.jpg": bytes(50 << 20)}))


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_chat.txt", TEXT)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("_chat.txt", TEXT)
    with pytest.raises(HostileZipError, match="twice"):
        open_export(path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"_chat.txt": TEXT})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[data.index(b"PK\x03\x04") + 6] |= 1
    with pytest.raises(HostileZipError, match="encrypted"):
        open_export(write(path, bytes(data)))


@pytest.mark.parametrize("offset", [20, 24])
def test_a_wrong_size_is_refused(tmp_path: Path, offset: int) -> None:
    """Offset 20 of the central entry is the packed size, 24 the unpacked one."""
    path = write_zip(tmp_path / "x.zip", {"_chat.txt": TEXT * 50})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + offset
    for wrong in (7, 1 << 31):
        struct.pack_into("<I", data, place, wrong)
        with pytest.raises(HostileZipError):
            read(write(path, bytes(data)))


def test_changed_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("_chat.txt", TEXT)
    with pytest.raises(HostileZipError, match="damaged"):
        read(write(path, path.read_bytes().replace(b"ok", b"no", 1)))


def test_a_cut_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"_chat.txt": TEXT, "a.jpg": b"x" * CHUNK})
    path.write_bytes(path.read_bytes()[200:])
    with pytest.raises(OpsError):
        open_export(path)
