"""Increments of files: unpacked one after the other, they make every day's tree again, whatever happened in between."""

import hashlib
import os
import random
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from backup import remembered
from backup.comparison import Comparison
from backup.filelist import FileEntry
from backup.keys import find_secrets
from backup.remembered import Memory, judged_by, recall
from backup.tarstream import tar_stream
from backup.tree import Found, TreeOptions, Walk

LATER_NS = 10 * remembered.TICK_NS


class Days:
    """A site below `root`, archived day by day; each day is restored from all archives until then."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.site = self.root / "srv/site"
        self.site.mkdir(parents=True)
        self.stored: list[list[str]] = []
        self.deleted: list[list[str]] = []
        self.pictures: list[dict[str, object]] = []
        self.last: Comparison

    @property
    def days(self) -> int:
        return len(self.stored)

    def archive(self, *, read_all: bool = False, settled: bool = True, top: str = "srv/site") -> None:
        """Archive the tree below `top`; `settled`: long after the last change, so that its times prove something."""
        memory, number = self.directory / f"memory-{self.days - 1}", self.days
        self.last = comparison = Comparison(recall(memory) if number else (), read_all=read_all or not number)
        walk = Walk(self.root, [Path("/", top)], find_secrets(self.root, {}, ()), TreeOptions(), comparison.knows)
        began = time.time_ns() + (LATER_NS if settled else 0)
        passing: list[os.stat_result] = []
        lines: dict[str, FileEntry] = {}
        with Memory(self.directory / f"memory-{number}", "judged", began) as kept:

            def note(entry: FileEntry) -> None:
                if not comparison.is_again(entry):
                    assert entry.path not in lines
                    lines[entry.path] = entry
                    kept.add(entry.line(), passing[-1] if entry.type == "file" else None)

            def keep(known: remembered.Known, found: os.stat_result) -> None:
                lines[known.entry.path] = known.entry
                kept.add(known.line, found if known.entry.type == "file" else None)

            stored: list[str] = []

            def passed(each: Found) -> Found:
                stored.append(str(each.path))
                passing.append(each.stat)
                return each

            with (
                closing(comparison.changes(walk, keep)) as changes,
                tar_stream(map(passed, changes), note) as stream,
                (self.directory / f"{number}.tar").open("wb") as archive,
            ):
                buffer = memoryview(bytearray(65536))
                while count := stream.readinto(buffer):
                    archive.write(buffer[:count])
            kept.finish()
        assert set(lines) == {
            str(path.relative_to(self.root)) for path in (self.root / top, *(self.root / top).rglob("*"))
        }
        self.stored.append(stored)
        self.deleted.append(list(comparison.deleted))
        self.pictures.append(picture(self.root, top))

    def restore(self, day: int) -> Path:
        """By hand: remove, unpack, day by day."""
        to = self.directory / f"restored-{day}"
        to.mkdir()
        for number in range(day + 1):
            gone = b"".join(os.fsencode(path) + b"\0" for path in self.deleted[number])
            subprocess.run(["xargs", "-0", "-r", "rm", "-rf", "--"], input=gone, cwd=to, check=True)
            archive = self.directory / f"{number}.tar"
            words = ["tar", "-x", "-p", "--keep-directory-symlink", "-f", str(archive), "-C", str(to)]
            subprocess.run(words, check=True, capture_output=True)
        return to


def picture(root: Path, top: str = "srv/site") -> dict[str, object]:
    """All that has to be the same: types, modes, seconds, content, targets, and which names share a file."""
    names: dict[int, str] = {}
    found: dict[str, object] = {}
    for path in [*sorted((root / top).rglob("*")), root / top]:
        info, name = path.lstat(), str(path.relative_to(root))
        common = (stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode))
        if stat.S_ISLNK(info.st_mode):
            found[name] = (*common, os.readlink(path))
        elif stat.S_ISREG(info.st_mode):
            first = names.setdefault(info.st_ino, name)
            found[name] = (*common, int(info.st_mtime), path.read_bytes(), first)
        else:
            found[name] = (*common, int(info.st_mtime))
    return found


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_did_not_change_is_neither_stored_nor_opened(days: Days) -> None:
    write(days.site / "a/one")
    write(days.site / "b")
    days.archive()
    (days.site / "b").chmod(0)  # and back: of another ctime, it has to be opened
    (days.site / "b").chmod(0o644)
    days.archive()
    assert (days.stored[1], days.deleted[1], days.last.kept) == ([], [], 2)


def test_a_change_is_stored_with_the_directories_that_lead_to_it(days: Days) -> None:
    write(days.site / "a/deep/one")
    write(days.site / "other/two")
    days.archive()
    (days.site / "a/deep/one").write_text("longer")
    days.archive()
    assert days.stored[1] == [f"/srv/site{path}" for path in ("", "/a", "/a/deep", "/a/deep/one")]
    assert picture(days.restore(1)) == days.pictures[1]


def _same_size(path: Path) -> None:
    """Other bytes, of the same length, with the mtime put back."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_edit_of_the_same_size_with_its_mtime_put_back_is_found_at_once_by_its_ctime(days: Days) -> None:
    path = write(days.site / "a", "one two")
    days.archive()
    _same_size(path)
    days.archive()
    assert days.stored[1] == ["/srv/site", "/srv/site/a"]


def test_an_edit_that_no_time_tells_of_is_found_when_everything_is_read(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(days.site / "a", "one two")
    write(days.site / "b", "as it was")
    days.archive()
    _same_size(path)
    monkeypatch.setattr(remembered.Known, "is_same", lambda known, found: True)  # as if the clock had been set back too
    days.archive()
    assert days.stored[1] == []
    days.archive(read_all=True)
    assert days.stored[2] == ["/srv/site", "/srv/site/a"]
    assert (days.last.unseen, days.last.kept) == (1, 1)
    assert (days.restore(2) / "srv/site/a").read_text() == "owt eno"


def test_a_file_written_in_the_tick_in_which_it_was_read_is_looked_at_again(days: Days) -> None:
    path = write(days.site / "a", "one two")
    days.archive(settled=False)
    before = remembered.recall(days.directory / "memory-0")
    assert [known.ctime_ns for known in before] == [None, None]
    path.write_text("two one")
    days.archive()
    assert days.stored[1] == ["/srv/site", "/srv/site/a"]


def test_touched_inodes_with_the_same_bytes_are_not_stored_again(days: Days) -> None:
    """As after the files were put back from a backup, or on a file system that numbers inodes anew."""
    path = write(days.site / "a", "one")
    days.archive()
    other = days.site / "b"
    shutil.copy2(path, other)
    other.rename(path)
    directory = days.site.stat()
    os.utime(days.site, ns=(directory.st_atime_ns, directory.st_mtime_ns))
    days.archive()
    assert "/srv/site/a" not in days.stored[1]


def test_another_name_of_a_file_that_is_stored_again_is_linked_to_it_again(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(days.site / "a", "one two")
    os.link(path, days.site / "b")
    days.archive()
    _same_size(path)
    days.archive(read_all=True)
    assert days.stored[1] == ["/srv/site", "/srv/site/a", "/srv/site/b"]
    assert picture(days.restore(1)) == days.pictures[1]


def test_what_lies_in_a_directory_that_is_listed_no_more_stays(days: Days) -> None:
    """As when a link to the site leads to another directory in it now."""
    write(days.site / "v2/page")
    write(days.site / "old")
    days.archive()
    days.archive(top="srv/site/v2")
    assert days.deleted[1] == ["srv/site/old"]
    assert (days.restore(1) / "srv/site/v2/page").is_file()


def _to_directory(site: Path) -> None:
    (site / "file").unlink()
    write(site / "file/inside/deep", "new")


def _to_file(site: Path) -> None:
    shutil.rmtree(site / "folder")
    write(site / "folder", "now a file")


def _link_to_directory(site: Path) -> None:
    (site / "link").unlink()
    write(site / "link/inside", "no link any more")


def _directory_to_link(site: Path) -> None:
    shutil.rmtree(site / "folder")
    (site / "folder").symlink_to("other")


def _first_name_gone(site: Path) -> None:
    (site / "hard-1").unlink()


def _earlier_name(site: Path) -> None:
    os.link(site / "hard-1", site / "a-first")


def _one_of_two_replaced(site: Path) -> None:
    write(site / "new", "one of its own").rename(site / "hard-2")


def _both_changed(site: Path) -> None:
    (site / "hard-2").write_text("through the other name")


def _renamed(site: Path) -> None:
    (site / "folder").rename(site / "another folder")


def _swapped(site: Path) -> None:
    (site / "file").rename(site / "x")
    (site / "other/in other").rename(site / "file")
    (site / "x").rename(site / "other/in other")


def _closed(site: Path) -> None:
    write(site / "other/more")
    (site / "other").chmod(0o555)


def _odd_names(site: Path) -> None:
    for name in ("-rf", "new\nline", "tab\t", "ü", os.fsdecode(b"\xe9"), "a.txt", "a", "a-b"):
        write(site / "odd" / name)


def _odd_names_gone(site: Path) -> None:
    _odd_names(site)
    (site / "odd/a").unlink()


CHANGES = [value for name, value in list(globals().items()) if name.startswith("_") and callable(value)]
CHANGES = [change for change in CHANGES if change is not _same_size]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_after_every_kind_of_change_the_tree_comes_back(days: Days, change: Callable[[Path], None]) -> None:
    write(days.site / "file", "a file")
    write(days.site / "folder/inside", "in folder")
    write(days.site / "other/in other", "other")
    (days.site / "link").symlink_to("other")
    os.link(write(days.site / "hard-1", "shared"), days.site / "hard-2")
    days.archive()
    change(days.site)
    days.archive()
    days.archive()
    assert days.stored[2] == []
    for day in (0, 1):
        assert picture(days.restore(day)) == days.pictures[day]


@pytest.mark.parametrize("seed", range(8))
def test_random_days_come_back(days: Days, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(12):
        write(days.site / f"d{number % 3}/f{number}", str(number))
    days.archive()
    for number in range(4):
        for _ in range(chance.randrange(6)):
            _anything(days.site, chance, number)
        days.archive(read_all=chance.random() < 0.3)
    for day in range(5):
        assert picture(days.restore(day)) == days.pictures[day]


def _anything(site: Path, chance: random.Random, day: int) -> None:
    """One change somewhere."""
    there = sorted(site.rglob("*"))
    files = [path for path in there if path.is_file() and not path.is_symlink()]
    folders = [path for path in there if path.is_dir() and not path.is_symlink()] or [site]
    target, folder = chance.choice(files or [site / "new"]), chance.choice(folders)
    fresh = folder / f"n{day}-{chance.randrange(1000)}"
    kind = chance.randrange(8)
    if kind == 0 or not files:
        write(fresh, str(chance.random()))
    elif kind == 1:
        target.unlink()
    elif kind == 2:
        target.rename(fresh)
    elif kind == 3:
        os.link(target, fresh)
    elif kind == 4:
        fresh.symlink_to(target.name)
    elif kind == 5:
        target.chmod(chance.choice((0o600, 0o644, 0o755)))
    elif kind == 6:
        shutil.rmtree(folder)
    else:
        target.write_text(str(chance.random()))


def test_a_memory_that_is_cut_or_altered_is_none(days: Days) -> None:
    write(days.site / "a")
    days.archive()
    memory = days.directory / "memory-0"
    assert judged_by(memory) == "judged"
    whole = memory.read_bytes()
    for spoilt in (whole[:-3], whole[: len(whole) // 2], b"", whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]):
        memory.write_bytes(spoilt)
        assert judged_by(memory) is None
    memory.unlink()
    assert judged_by(memory) is None


def test_the_digest_of_what_is_kept_is_that_of_its_bytes(days: Days) -> None:
    write(days.site / "a", "content")
    days.archive()
    days.archive(read_all=True)
    [known] = [each for each in recall(days.directory / "memory-1") if each.entry.type == "file"]
    assert known.entry.sha256 == hashlib.sha256(b"content").hexdigest()
