"""Walking trees, and the tar archives and lists that come of it."""

import hashlib
import io
import os
import socket
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backup.filelist import FileEntry, ListSpool, parse_list
from backup.keys import find_secrets
from backup.tarstream import TarStream
from backup.tree import Found, TreeOptions, Walk
from opsctl.core.errors import IntegrityError, OpsError


class Archived:
    """One archive in memory: what went into it, and what tarfile makes of it."""

    def __init__(self, found: Iterator[Found] | Walk) -> None:
        self.entries: list[FileEntry] = []
        self.stream = TarStream(found, self.entries.append)
        plain = io.BytesIO()
        buffer = memoryview(bytearray(700))  # smaller than many a file, and no multiple of a block
        while count := self.stream.readinto(buffer):
            plain.write(buffer[:count])
        plain.seek(0)
        with tarfile.open(fileobj=plain, encoding="utf-8", errors="surrogateescape") as tar:
            self.members = {member.name: member for member in tar}
            self.content = {
                name: stream.read()
                for name, member in self.members.items()
                if member.isreg() and (stream := tar.extractfile(member)) is not None
            }


def walk(root: Path, *paths: str, options: TreeOptions | None = None) -> Walk:
    secrets = find_secrets(root, {}, ())
    return Walk(root, [Path(path) for path in paths], secrets, options or TreeOptions())


def write(root: Path, path: str, content: bytes = b"x") -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_an_archive_holds_files_directories_and_links_with_their_modes_and_content(tmp_path: Path) -> None:
    write(tmp_path, "srv/a/file", b"content" * 1000).chmod(0o4640)
    write(tmp_path, "srv/a/empty", b"")
    (tmp_path / "srv/a/absolute").symlink_to("/etc/passwd")
    (tmp_path / "srv/a/dangling").symlink_to("no/where")
    os.utime(tmp_path / "srv/a/file", ns=(0, 1_700_000_000_123_456_789))
    made = Archived(walk(tmp_path, "/srv/a"))
    assert made.content == {"srv/a/file": b"content" * 1000, "srv/a/empty": b""}
    assert made.members["srv/a/file"].mode == 0o4640
    assert made.members["srv/a/file"].mtime == 1_700_000_000
    assert made.members["srv/a/absolute"].linkname == "/etc/passwd"
    assert made.members["srv/a/dangling"].issym()
    assert made.members["srv/a"].isdir()
    [entry] = [entry for entry in made.entries if entry.path == "srv/a/file"]
    assert (entry.size, entry.mtime_ns) == (7000, 1_700_000_000_123_456_789)
    assert entry.sha256 == hashlib.sha256(b"content" * 1000).hexdigest()


@pytest.mark.parametrize("name", ["with space", "new\nline", "-rf", "é", "quote'\"\\", "x" * 255, "tab\t*?[a]", " "])
def test_any_name_comes_through(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"srv/{name}", name.encode())
    made = Archived(walk(tmp_path, "/srv"))
    assert made.content == {f"srv/{name}": name.encode()}
    assert [entry.path for entry in made.entries] == ["srv", f"srv/{name}"]


def test_names_that_are_no_utf8_keep_their_bytes_in_archive_and_list(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    name = os.fsdecode(b"latin-\xe9\xff")
    write(tmp_path, f"srv/{name}")
    (tmp_path / "srv" / "link").symlink_to(name)
    made = Archived(walk(tmp_path, "/srv"))
    assert os.fsencode(next(iter(made.content))) == b"srv/latin-\xe9\xff"
    assert os.fsencode(made.members["srv/link"].linkname) == b"latin-\xe9\xff"
    lines = [entry.line() for entry in made.entries]
    assert list(parse_list(lines, "list")) == made.entries


def test_a_path_longer_than_a_tar_header_comes_through(tmp_path: Path) -> None:
    path = "srv/" + "/".join(["d" * 100] * 5) + "/file"
    write(tmp_path, path)
    assert list(Archived(walk(tmp_path, "/srv")).content) == [path]


def test_hard_links_stay_links_and_count_their_bytes_once(tmp_path: Path) -> None:
    first = write(tmp_path, "srv/a", b"shared")
    os.link(first, tmp_path / "srv" / "b")
    made = Archived(walk(tmp_path, "/srv"))
    assert made.members["srv/b"].islnk()
    assert made.members["srv/b"].linkname == "srv/a"
    assert [(entry.type, entry.size, entry.target) for entry in made.entries[1:]] == [
        ("file", 6, None),
        ("hardlink", 0, "srv/a"),
    ]


def test_the_order_is_that_of_the_parts_of_paths(tmp_path: Path) -> None:
    for path in ("srv/b/x", "srv/a-b", "srv/a/z", "srv/a/b/c", "srv/B"):
        write(tmp_path, path)
    order = [entry.path for entry in Archived(walk(tmp_path, "/srv")).entries]
    assert order == sorted(order, key=lambda path: path.split("/"))


def test_sockets_fifos_and_the_like_are_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "srv/file")
    os.mkfifo(tmp_path / "srv" / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "srv" / "socket"))
        found = walk(tmp_path, "/srv")
        assert list(Archived(found).content) == ["srv/file"]
    assert found.left_out == 2


def test_what_vanishes_while_it_is_read_is_counted_and_no_error(tmp_path: Path) -> None:
    for name in ("1", "2", "3/inside"):
        write(tmp_path, f"srv/{name}")
    found = walk(tmp_path, "/srv")

    def meanwhile() -> Iterator[Found]:
        for each in found:
            if each.path == Path("/srv/1"):
                (tmp_path / "srv/2").unlink()
                (tmp_path / "srv/3/inside").unlink()
                (tmp_path / "srv/3").rmdir()
            yield each

    made = Archived(meanwhile())
    assert list(made.content) == ["srv/1"]
    assert found.vanished == 2


def shrink(path: Path) -> None:
    os.truncate(path, 1000)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("change", "archived"), [(shrink, b"a" * 1000 + bytes(4000)), (grow, b"a" * 5000)], ids=["shrinks", "grows"]
)
def test_a_file_that_changes_while_it_is_read_is_counted_and_hashed_as_archived(
    tmp_path: Path, change: Callable[[Path], None], archived: bytes
) -> None:
    place = write(tmp_path, "srv/1-log", b"a" * 5000)
    write(tmp_path, "srv/2-after", b"whole")

    def meanwhile() -> Iterator[Found]:
        for each in walk(tmp_path, "/srv"):
            if each.path.name == "1-log":
                change(place)
            yield each

    made = Archived(meanwhile())
    assert made.content == {"srv/1-log": archived, "srv/2-after": b"whole"}
    assert made.stream.changed == 1
    assert made.entries[1].sha256 == hashlib.sha256(archived).hexdigest()


@pytest.mark.parametrize("swapped", ["b", "file"])
def test_what_is_swapped_for_a_link_between_two_looks_does_not_lead_out_of_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    write(tmp_path, "srv/a/file")
    write(tmp_path, "srv/b/file")
    write(tmp_path, "etc/file", b"secret of the host")
    real = os.stat

    def swap_after(path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        found = real(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        if path == swapped and dir_fd is not None:
            os.rename(path, f".{path}", src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            target = tmp_path / "etc" if swapped == "b" else tmp_path / "etc/file"
            os.symlink(target, path, dir_fd=dir_fd)
        return found

    monkeypatch.setattr(os, "stat", swap_after)
    found = walk(tmp_path, "/srv")
    made = Archived(found)
    assert b"secret of the host" not in made.content.values()
    assert found.vanished == (1 if swapped == "b" else 2)


def test_excluded_paths_are_left_out_with_all_below_them(tmp_path: Path) -> None:
    for path in ("srv/cache/a/b", "srv/x.log", "srv/keep/x.txt"):
        write(tmp_path, path)
    options = TreeOptions(exclude=("/srv/cache", "*.log"))
    assert list(Archived(walk(tmp_path, "/srv", options=options)).content) == ["srv/keep/x.txt"]


def test_trees_that_overlap_are_archived_once(tmp_path: Path) -> None:
    write(tmp_path, "srv/a/b/file")
    write(tmp_path, "etc/x")
    made = Archived(walk(tmp_path, "/srv/a/b", "/srv/a", "/etc/x", "/srv/a"))
    assert [entry.path for entry in made.entries] == ["etc/x", "srv/a", "srv/a/b", "srv/a/b/file"]


def test_a_path_that_is_a_link_is_archived_with_what_it_leads_to_as_the_host_sees_it(tmp_path: Path) -> None:
    write(tmp_path, "data/blog/file")
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/blog").symlink_to("/data/blog")
    made = Archived(walk(tmp_path, "/srv/blog"))
    assert made.members["srv/blog"].linkname == "/data/blog"
    assert list(made.content) == ["data/blog/file"]


def test_a_path_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="/srv/typo is not there"):
        walk(tmp_path, "/srv/typo")


def test_a_file_that_may_not_be_read_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "srv/private")
    real = os.open

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "private":  # root, who may read everything, runs these tests too
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OpsError, match="/srv/private cannot be read: Permission denied") as raised:
        Archived(walk(tmp_path, "/srv"))
    assert raised.value.hint is not None
    assert "exclude" in raised.value.hint


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path, f"srv/{number}/{number}/file")
    before = len(os.listdir("/proc/self/fd"))
    Archived(walk(tmp_path, "/srv"))
    abandoned = iter(walk(tmp_path, "/srv"))
    stream = TarStream(abandoned, lambda entry: None)
    stream.readinto(memoryview(bytearray(2048)))
    stream.close()
    del stream, abandoned
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_spooled_list_comes_back_as_it_went_in() -> None:
    spool = ListSpool()
    entries = [
        FileEntry(f"srv/{number:06}", "file", 0o644, 33, 33, number, number, sha256=f"{number:064x}")
        for number in range(5000)
    ]
    for entry in entries:
        spool.add(entry)
    reader, plain = spool.finish(), bytearray()
    buffer = memoryview(bytearray(1000))
    while count := reader.readinto(buffer):
        plain += buffer[:count]
    assert list(parse_list(bytes(plain).splitlines(), "list")) == entries
    assert (spool.files, spool.size) == (5000, sum(range(5000)))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'{"path":"a"}',
        b'{"path":"a","type":"device","mode":1,"uid":0,"gid":0,"size":0,"mtime_ns":0}',
        b'{"path":"a","type":"file","mode":1,"uid":0,"gid":0,"size":"0","mtime_ns":0}',
        b'{"path":1,"type":"file","mode":1,"uid":0,"gid":0,"size":0,"mtime_ns":0}',
        b'{"path":"a","type":"file","mode":1,"uid":0,"gid":0,"size":0,"mtime_ns":0,"more":1}',
    ],
)
def test_a_line_that_is_no_entry_is_refused(line: bytes) -> None:
    with pytest.raises(IntegrityError, match="line 1 of the list"):
        list(parse_list([line], "the list"))
