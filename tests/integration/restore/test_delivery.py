"""What a restore leaves, and how it is used."""

import os
import subprocess
from pathlib import Path

import pytest

from opsctl.core.errors import AuthError, IntegrityError, OpsError, SettingsError
from opsctl.core.result import Outcome
from restore_drill.restore import RestoreReport, restore
from restore_drill.restored import Restored
from restore_drill.steps import open_all, prepare_database
from restore_drill.workspace import workspace
from tests.integration.restore.conftest import _SITE_GID, _SITE_UID, History
from tests.support.repository import KEY_FILE, Repository


def restored(repo: Repository) -> tuple[Path, RestoreReport]:
    target = repo.directory / "restored"
    return target, restore(repo.host, target, latest=True)


def test_files_come_back_with_owner_mode_time_and_links(history: History, repo: Repository) -> None:
    target, _ = restored(repo)
    uploads = target / "files/var/www/shop/uploads"
    picture = (uploads / "a.jpg").stat()
    owner = (_SITE_UID, _SITE_GID) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    assert (uploads / "a.jpg").read_bytes() == b"picture"
    assert (picture.st_uid, picture.st_gid) == owner
    assert (picture.st_mode & 0o7777, picture.st_mtime) == (0o440, 1_600_000_000)
    assert uploads.stat().st_mode & 0o7777 == 0o2750
    assert (target / "files/var/www/current").readlink() == Path("/var/www/shop")


def test_secrets_are_at_their_places_and_the_database_keys_belong_to_the_server(repo: Repository) -> None:
    target, _ = restored(repo)
    at_place, kept = target / f"files{KEY_FILE}", target / f"keys{KEY_FILE}"
    assert at_place.read_bytes() == kept.read_bytes()
    assert at_place.stat().st_mode & 0o777 == 0o400
    assert kept.stat().st_uid == (target / "data/ibdata1").stat().st_uid
    assert kept.stat().st_mode & 0o777 == 0o400


def test_nobody_else_can_look_into_it(repo: Repository) -> None:
    target, _ = restored(repo)
    assert {path.name: path.stat().st_mode & 0o077 for path in target.iterdir() if path.is_dir()} == {
        "data": 0,
        "files": 0,
        "keys": 0,
    }


def test_the_commands_in_start_txt_start_ask_and_stop_the_server(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    target, report = restored(repo)
    text = (target / "START.txt").read_text()
    start, ask, stop = (line.strip() for line in text.split("LOOK AT")[1].splitlines()[1:4])
    script = f"""
        {start}
        trap '{stop.replace(" --password", "")}; wait' EXIT
        for attempt in $(seq 600); do [ -S {target}/data/mariadb.sock ] && break; sleep 0.1; done
        ({ask.replace(" --password", "")} --batch --skip-column-names \
            --execute='SELECT COUNT(*) FROM shop.orders; SELECT COUNT(*) FROM mysql.user WHERE user LIKE "opsctl-%"')
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == [str(len(history.rows[report.gtid_state])), "0"], done.stderr
    assert f"gtid_binlog_state = '{report.gtid_state}'" in text


def test_its_record_is_in_the_ledger(repo: Repository) -> None:
    target, report = restored(repo)
    [entry] = repo.host.ledger.query("restore")
    record = entry.record_of(RestoreReport)
    assert (record.outcome, record.body) == (Outcome.PASSED, report)
    assert report.directory == str(target)
    assert [phase.name for phase in report.phases] == ["trust", "open", "prepare", "start", "replay", "stop", "deliver"]


def test_an_empty_directory_may_be_there(repo: Repository) -> None:
    (repo.directory / "restored").mkdir()
    target, _ = restored(repo)
    assert (target / "START.txt").exists()


def test_a_directory_that_holds_anything_is_refused_and_left_alone(repo: Repository) -> None:
    target = repo.directory / "restored"
    target.mkdir()
    (target / "precious").touch()
    with pytest.raises(SettingsError, match="not empty"):
        restore(repo.host, target)
    assert [path.name for path in target.iterdir()] == ["precious"]


def test_a_link_and_a_file_are_refused(repo: Repository) -> None:
    (repo.directory / "empty").mkdir()
    (repo.directory / "link").symlink_to(repo.directory / "empty")
    (repo.directory / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(SettingsError, match="no directory"):
            restore(repo.host, repo.directory / name)


def test_a_path_that_the_sandbox_may_not_pass_is_refused_by_name(repo: Repository) -> None:
    (repo.directory / "shut").mkdir(mode=0o700)
    if os.geteuid() == 0:
        with pytest.raises(OpsError, match="may not pass through") as caught:
            restore(repo.host, repo.directory / "shut" / "restored")
        assert "chmod o+x" in str(caught.value.hint)
    else:
        assert restore(repo.host, repo.directory / "shut" / "restored").warnings


def test_an_archive_with_a_changed_byte_is_refused_and_nothing_is_left(history: History, repo: Repository) -> None:
    path = repo.store.directory / history.manifest.artefact("db").key
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        restored(repo)
    assert not [path.name for path in repo.directory.iterdir() if "restored" in path.name]


def test_a_wrong_key_file_is_told_from_a_broken_backup(history: History, repo: Repository) -> None:
    with workspace(repo.directory / "scratch") as paths:
        catalog = repo.host.catalog
        again = Restored(repo.host, catalog, catalog.newest(), paths)
        open_all(again)
        (paths.keys / KEY_FILE.lstrip("/")).chmod(0o600)
        (paths.keys / KEY_FILE.lstrip("/")).write_text("1;" + "ab" * 32 + "\n")
        prepared = prepare_database(again)
        assert isinstance(prepared.error, AuthError)
