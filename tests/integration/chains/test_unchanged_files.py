"""Files that did not change are not stored again; what is restored is the site as it was, on each day."""

import os
import random
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup import layout
from backup.archive import Archives
from backup.archive_set import archive_set
from backup.documents import publish
from backup.increments import find_base
from backup.manifest import Artefact, Manifest
from backup.plan import make_plan
from backup.verify import verify_backup
from opsctl.core import clock
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError
from opsctl.core.progress import Silent
from opsctl.core.signing import Namespace
from opsctl.overview import wire
from restore_drill.drill import run_drill
from tests.integration.chains.conftest import Small
from tests.support.host import STACK
from tests.unit.backup.binlogs import manifest


def fill(site: Path) -> None:
    """Files in directories of odd modes, links of both kinds."""
    for number in range(40):
        place = site / f"uploads/{number % 4}/photo {number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(random.Random(number).randbytes(3000))
    os.link(site / "uploads/0/photo 0.jpg", site / "uploads/1/same.jpg")
    (site / "link").symlink_to("uploads/2")
    (site / "uploads/3").chmod(0o2750)


def work(site: Path) -> None:
    """A day of it: new, edited, deleted, renamed, moved, closed."""
    (site / "uploads/0/photo 0.jpg").write_bytes(b"edited in place, under both names")
    (site / "uploads/0/photo 4.jpg").unlink()
    (site / "uploads/1/photo 1.jpg").rename(site / "uploads/1/renamed.jpg")
    shutil.rmtree(site / "uploads/2")
    (site / "link").unlink()
    (site / "link").mkdir()
    (site / "link/inside").write_text("no link any more")
    (site / "uploads/3/photo 3.jpg").chmod(0o600)
    (site / "uploads/3").chmod(0o500)


def picture(site: Path) -> dict[str, object]:
    """Everything that has to come back."""
    first: dict[int, str] = {}
    found: dict[str, object] = {}
    for path in (site, *sorted(site.rglob("*"))):
        info, name = path.lstat(), str(path.relative_to(site))
        content: object = None
        if stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(info.st_mode):
            content = (path.read_bytes(), first.setdefault(info.st_ino, name), int(info.st_mtime))
        else:
            content = int(info.st_mtime)
        found[name] = (info.st_mode, info.st_uid, info.st_gid, content)
    return found


def archives(manifest: Manifest) -> list[str]:
    return [artefact.name for artefact in manifest.artefacts if artefact.kind in ("files", "deleted", "list")]


def own(manifest: Manifest) -> list[Artefact]:
    """Those that were stored for this backup."""
    return [each for each in manifest.artefacts if f"/{manifest.id}/" in each.key]


def test_each_day_of_a_site_comes_back_and_only_what_changed_is_stored(small: Small) -> None:
    fill(small.site)
    made, seen = [small.backup()], [picture(small.site)]
    work(small.site)
    made, seen = [*made, small.backup()], [*seen, picture(small.site)]
    made, seen = [*made, small.backup()], [*seen, picture(small.site)]
    (small.site / "last").write_text("new")
    made, seen = [*made, small.backup()], [*seen, picture(small.site)]

    base, layer = ["files-site"], ["files-site.1.deleted", "files-site.1"]
    assert [archives(each) for each in made] == [
        [*base, "files-site.list"],
        [*base, *layer, "files-site.list"],
        [*base, *layer, "files-site.list"],
        [*base, *layer, "files-site.2", "files-site.list"],
    ]
    assert {each.kind for each in own(made[2])} == {"database", "keys", "state"}
    assert made[2].artefact("files-site.1").sealed.plain_size < made[0].artefact("files-site").sealed.plain_size / 2
    assert [each.files[0].kept for each in made[1:]] == [28, 33, 33]
    for each, expected in zip(made, seen, strict=True):
        assert picture(small.restore(each.id) / "files/srv/site") == expected
    assert [each.outcome for each in run_drill(small.drill_host).body.results if each.id == "uploads"] == ["passed"]


class Files:
    """Backups of a small customer's files alone, one on the other, in the repository where all others are."""

    def __init__(self, small: Small) -> None:
        self.small = small
        self.last: Manifest | None = None

    def backup(self) -> Manifest:
        """What `backup run` does with files. Its manifest is not published: nothing here reads it from there."""
        host, started = wire.host(self.small.loaded, Silent()), utcnow()
        described = manifest(None, 0, "", minute=0)
        made = Archives(host, layout.new_backup_id(started, "full"))
        plan = make_plan(host, ())
        sets = tuple(
            archive_set(host, made, each, plan.secrets, base=find_base(host, self.last, each, started), started=started)
            for each in plan.sets
        )
        update = {"id": made.backup_id, "artefacts": tuple(made.artefacts), "files": sets}
        self.last = described.model_copy(update=update)
        return self.last


@pytest.fixture
def files(small: Small) -> Files:
    """Of a site with one backup of it."""
    fill(small.site)
    found = Files(small)
    found.backup()
    return found


def _later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Let the program's clock be so many days ahead."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Later":
            moment = datetime.now(UTC) + timedelta(days=days)
            return cls.fromtimestamp(moment.timestamp(), UTC)

    monkeypatch.setattr(clock, "datetime", Later)


def _edit_unseen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes of the same length, and every time put back, as after the clock was set: only reading tells."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    monkeypatch.setattr("backup.remembered.Known.is_same", lambda known, found: known.inode == found.st_ino)


def test_an_edit_that_left_no_trace_is_found_within_the_week(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backup.remembered.TICK_NS", 0)  # as if all were written long before it was read
    fill(small.site)
    files = Files(small)
    files.backup()
    _edit_unseen(small.site / "uploads/2/photo 2.jpg", monkeypatch)
    _later(monkeypatch, 6)
    assert archives(files.backup()) == ["files-site", "files-site.list"]
    _later(monkeypatch, 7)
    found = files.backup()
    assert archives(found) == ["files-site", "files-site.1", "files-site.list"]
    assert (found.files[0].kept, found.files[0].unseen) == (42, 1)
    assert archives(files.backup()) == ["files-site", "files-site.1", "files-site.list"]


def _forget(small: Small, last: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(small.machine.state / "files")


def _cut(small: Small, last: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = small.machine.state / "files" / last.id / "site"
    memory.write_bytes(memory.read_bytes()[:-9])


def _lose_archive(small: Small, last: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    (small.machine.repository / last.artefact("files-site").key).unlink()


def _other_recipient(small: Small, last: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyrage

    other = str(pyrage.x25519.Identity.generate().to_public())
    small.machine.change(backup={"recipients": [*last.artefact("files-site").recipients, other]})


def _other_exclude(small: Small, last: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = small.loaded.settings
    site = settings.sites[0].model_dump(mode="json", exclude_unset=True)
    text = small.machine.config.read_text()
    assert site["name"] in text
    small.machine.config.write_text(text.replace('kind = "static"', 'kind = "static"\nexclude = ["/srv/site/cache"]'))


def _weeks_later(small: Small, last: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    _later(monkeypatch, 28)


def _too_many(small: Small, last: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    small.machine.change(backup={"max_incrementals": 0})


@pytest.mark.parametrize(
    "spoil", [_forget, _cut, _lose_archive, _other_recipient, _other_exclude, _weeks_later, _too_many]
)
def test_files_are_stored_whole_where_the_last_ones_cannot_be_built_on(
    files: Files, spoil: Callable[[Small, Manifest, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (files.small.site / "more").write_text("an increment")
    last = files.backup()
    assert archives(last)[1] == "files-site.1"
    spoil(files.small, last, monkeypatch)
    again = files.backup()
    assert [each.name for each in own(again)] == ["files-site", "files-site.list"]


def test_increments_that_outgrow_what_they_save_end_in_a_whole_archive(files: Files) -> None:
    made = []
    for number in range(4):
        (files.small.site / "large").write_bytes(random.Random(number).randbytes(100_000))
        made.append([each.name for each in own(files.backup()) if each.kind == "files"])
    assert made == [["files-site.1"], ["files-site.2"], ["files-site"], ["files-site.1"]]


def test_a_full_backup_that_is_asked_for_holds_all_files(small: Small) -> None:
    fill(small.site)
    small.backup()
    assert {"files-site", "files-site.list"} < {each.name for each in own(small.backup("full"))}


def test_an_increment_of_files_without_what_it_was_made_on_is_not_restored(small: Small) -> None:
    fill(small.site)
    small.backup()
    (small.site / "more").write_text("an increment")
    last = small.backup()
    host = wire.host(small.loaded, Silent())
    key = layout.manifest(STACK, last.id)
    for ending in ("", layout.SIGNATURE):
        host.store.delete(key + ending)
    less = tuple(each for each in last.artefacts if each.name != "files-site")
    publish(host.store, host.signer, Namespace.MANIFEST, key, last.model_copy(update={"artefacts": less}))
    with pytest.raises(IntegrityError, match=r"files-site\.1 is made on .*, and named after nothing"):
        small.restore(last.id)


def test_a_backup_needs_its_older_archives_and_says_which_are_gone(small: Small) -> None:
    fill(small.site)
    first, second = small.backup(), small.backup()
    settings = small.loaded.settings
    catalog, ledger = wire.catalog(settings), wire.ledger(settings)
    progress = small.drill_host.progress
    assert verify_backup(catalog, second.id, ledger=ledger, progress=progress).body.problems == ()
    (small.machine.repository / first.artefact("files-site").key).unlink()
    (small.machine.repository / first.artefact("db").key).unlink()
    problems = verify_backup(catalog, second.id, ledger=ledger, progress=progress).body.problems
    assert sorted(problems) == sorted(f"{first.artefact(name).key} is missing" for name in ("db", "files-site"))
