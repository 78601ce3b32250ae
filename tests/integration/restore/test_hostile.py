"""A restored server that was hijacked reaches nothing of this machine through opsctl."""

import contextlib
import tarfile
from pathlib import Path

import pymysql
import pytest

from opsctl.core.errors import IntegrityError, OpsError, UnreachableError
from restore_drill.delivery import deliver
from restore_drill.fetch import extract
from restore_drill.options import PLAIN
from restore_drill.point import Latest
from restore_drill.restored import Restored
from restore_drill.steps import open_all, prepare_database, replay_logs, serving
from restore_drill.workspace import workspace
from tests.integration.restore.conftest import History
from tests.support.mariadb import running_server
from tests.support.repository import KEY_FILE, Repository


def test_a_socket_that_became_a_link_to_a_live_server_is_not_followed(history: History, repo: Repository) -> None:
    with running_server() as live, workspace(repo.directory / "scratch") as paths:
        restored = _prepared(repo, Restored(repo.host, repo.host.catalog, history.manifest, paths))
        with serving(restored) as serves:
            server = serves.need()
            server.socket.unlink()
            server.socket.symlink_to(live.socket)
            with pytest.raises(pymysql.OperationalError, match="no server at"):
                server.connect("root")
            with pytest.raises(UnreachableError):
                server.mounts(Path("/run/mysqld/mysqld.sock"))


def test_a_relay_directory_that_became_a_link_is_not_written_through(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    live = repo.directory / "live"
    live.mkdir()
    with workspace(repo.directory / "scratch") as paths:
        restored = _prepared(repo, Restored(repo.host, repo.host.catalog, history.manifest, paths))
        with serving(restored):
            (paths.run / "relay").rename(paths.run / "aside")
            (paths.run / "relay").symlink_to(live)
            assert isinstance(replay_logs(restored, Latest()).error, OpsError)
    assert list(live.iterdir()) == []


def test_a_link_on_the_way_to_the_key_file_moves_nothing_of_this_machine(history: History, repo: Repository) -> None:
    live = repo.directory / "live"
    (live / "mysql/encryption").mkdir(parents=True)
    (live / "mysql/encryption/keys").write_text("the live server's key")
    with workspace(repo.directory / "scratch") as paths:
        (paths.keys / "etc").symlink_to(live)
        (paths.tree / "file").touch()
        with pytest.raises(IntegrityError, match="a link stands in the way"):
            deliver(paths, history.manifest, PLAIN, repo.directory / "restored", None)
    assert (live / "mysql/encryption/keys").exists()
    assert KEY_FILE.endswith("mysql/encryption/keys")


@pytest.mark.parametrize("exact", [False, True])
def test_an_archive_that_climbs_out_of_its_directory_is_kept_in(repo: Repository, directory: Path, exact: bool) -> None:
    outside = directory / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    with tarfile.open(directory / "evil.tar", "w") as archive:
        (directory / "payload").write_text("payload")
        link = tarfile.TarInfo("way")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
        archive.add(directory / "payload", "way/planted")
        archive.add(directory / "payload", "../outside/planted")
        archive.add(directory / "payload", f"{outside}/planted")
    artefact = repo._artefact("evil", "files", "acme/evil.tar.zst.age", directory / "evil.tar")
    with workspace(directory / "scratch") as paths:
        with contextlib.suppress(OpsError):
            extract(repo.host, artefact, paths.tree, exact=exact, timeout_s=60)
        assert list(outside.iterdir()) == []


def _prepared(repo: Repository, restored: Restored) -> Restored:
    open_all(restored)
    prepare_database(restored)
    return restored
