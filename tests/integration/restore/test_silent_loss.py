"""Losses that no tool of MariaDB reports: each is refused, with the integrity exit code, before anything is published.

The logs are sealed and signed as they are, as a faulty or hijacked host would: hashes and signatures hold.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from backup import layout
from backup.documents import publish
from backup.manifest import Manifest
from opsctl.core.errors import ExitCode, IntegrityError
from opsctl.core.mariadb.gtid import BinlogState
from opsctl.core.signing import Namespace
from restore_drill import replay
from restore_drill.logs import GapError, open_logs
from restore_drill.point import Latest, resolve
from restore_drill.replay import ReplayError
from restore_drill.restore import restore
from restore_drill.restored import Restored
from restore_drill.steps import open_all, prepare_database, serving
from restore_drill.workspace import workspace
from tests.integration.restore.conftest import History
from tests.support.repository import Repository


def refusal(repo: Repository, kind: type[IntegrityError] = IntegrityError) -> str:
    """The error with which a restore to the latest point ends; nothing of it is left."""
    target = repo.directory / "restored"
    with pytest.raises(kind) as caught:
        restore(repo.host, target, latest=True)
    assert caught.value.exit_code == ExitCode.INTEGRITY
    assert not target.exists()
    assert not list(repo.directory.glob(".restored*"))
    return str(caught.value)


def changed(path: Path, directory: Path, change: Callable[[bytes], bytes]) -> Path:
    """A changed copy of a log, under its own name."""
    copy = directory / path.name
    copy.write_bytes(change(path.read_bytes()))
    return copy


def test_a_missing_file_in_the_middle(history: History, repo: Repository) -> None:
    repo.ship(history.files[0], history.files[2])
    assert "the names do not count up" in refusal(repo)


def test_a_missing_file_in_the_middle_renamed_to_hide_it(history: History, repo: Repository) -> None:
    repo.ship(history.files[0], history.files[2], names=["db-bin.000001", "db-bin.000002"])
    assert "db-bin.000001" in refusal(repo)


def test_a_middle_file_cut_between_two_transactions(history: History, repo: Repository) -> None:
    end = history.transactions(1)[1].end
    cut = changed(history.files[1], repo.directory, lambda content: content[:end])
    repo.ship(history.files[0], cut, history.files[2])
    assert "does not continue db-bin.000002" in refusal(repo)


def test_a_middle_file_cut_inside_a_transaction(history: History, repo: Repository) -> None:
    end = _inside(history, 1)
    cut = changed(history.files[1], repo.directory, lambda content: content[:end])
    repo.ship(history.files[0], cut, history.files[2])
    assert "ends inside a transaction" in refusal(repo)


def test_the_last_file_cut_inside_a_transaction_at_the_end_of_an_event(history: History, repo: Repository) -> None:
    end = _inside(history, 2)
    cut = changed(history.files[2], repo.directory, lambda content: content[:end])
    repo.ship(*history.files[:2], cut)
    assert "ends inside the transaction" in refusal(repo)


def test_the_last_file_cut_inside_an_event(history: History, repo: Repository) -> None:
    [segment] = repo.ship(history.files[0])
    end = history.transactions(0)[-1].end - 3
    cut = changed(history.files[0], repo.directory, lambda content: content[:end])
    _seal_instead(repo, segment.key, cut)
    assert "not what was sealed" in refusal(repo)


def test_a_file_that_is_shorter_than_its_record_says(history: History, repo: Repository) -> None:
    end = history.transactions(2)[-2].end
    cut = changed(history.files[2], repo.directory, lambda content: content[:end])
    last = history.transactions(2)[-1]
    repo.ship(*history.files[:2])
    repo.ship(cut, end_position=last.end, last_state=str(last.gtid), transactions=len(history.transactions(2)))
    assert "not what its record says" in refusal(repo)


@pytest.mark.parametrize("place", ["between two transactions", "inside an event"])
def test_a_wrong_start_position(history: History, repo: Repository, place: str) -> None:
    repo.ship(*history.files)
    position = history.manifest.database.binlog_position or 0
    wrong = history.transactions(0)[-1].end if place == "between two transactions" else position + 7
    with pytest.raises(GapError, match="is not among the shipped binary logs"):
        open_logs(repo.host, repo.host.catalog, _with_position(history, wrong), repo.directory, timeout_s=60)


def test_a_manifest_that_says_another_position_than_the_backup(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    manifest = _with_position(history, history.transactions(0)[-1].end)
    key = layout.manifest(manifest.stack, manifest.id)
    for name in (key, key + layout.SIGNATURE):
        repo.store.delete(name)
    publish(repo.store, repo.host.signer, Namespace.MANIFEST, key, manifest)
    assert "the backup says its binary log position is" in refusal(repo)


def test_the_first_file_was_never_shipped(history: History, repo: Repository) -> None:
    repo.ship(*history.files[1:])
    assert "is not among the shipped binary logs" in refusal(repo, GapError)


def test_a_scratch_server_with_the_server_id_of_the_source(
    history: History, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.ship(*history.files)
    monkeypatch.setattr(replay._Applier, "_unused_server_id", lambda self: 7)
    assert "the logs hold" in refusal(repo, ReplayError)


def test_a_server_that_ends_at_another_transaction_than_the_logs(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    with workspace(repo.directory / "scratch") as paths:
        restored = Restored(repo.host, repo.host.catalog, history.manifest, paths)
        open_all(restored)
        prepare_database(restored)
        logs = open_logs(repo.host, restored.catalog, history.manifest, paths.logs, timeout_s=60)
        point = dataclasses.replace(resolve(Latest(), logs), state=BinlogState.parse("0-7-999"))
        with serving(restored) as serves, pytest.raises(ReplayError, match="ended at GTID 0-7-18, not at 0-7-999"):
            replay.replay(serves.need(), logs, point, timeout_s=60, advance=lambda count: None)


def _inside(history: History, number: int) -> int:
    """The end of the first event of a file's second transaction."""
    transaction = history.transactions(number)[1]
    content = history.files[number].read_bytes()
    return transaction.start + int.from_bytes(content[transaction.start + 9 : transaction.start + 13], "little")


def _with_position(history: History, position: int) -> Manifest:
    database = history.manifest.database.model_copy(update={"binlog_position": position})
    return history.manifest.model_copy(update={"database": database})


def _seal_instead(repo: Repository, key: str, path: Path) -> None:
    repo.store.delete(key)
    repo.seal(key, path)
