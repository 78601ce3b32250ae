"""A repository that ends before what this machine has seen of it is refused; ssh-keygen signs and verifies for real."""

from datetime import timedelta
from pathlib import Path

import pytest

from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode
from opsctl.core.signing import SignatureError
from restore_drill.restore import restore
from restore_drill.trust import HeadMemory, RolledBackError, check_head
from tests.integration.restore.conftest import History
from tests.support.repository import STACK, Repository


@pytest.fixture
def seen(history: History, repo: Repository) -> Repository:
    """A repository with three segments and a head; `memory` has seen it."""
    repo.ship(*history.files)
    repo.publish_head()
    head = check_head(repo.host.catalog, None)
    assert head is not None
    memory(repo).remember(head)
    return repo


def memory(repo: Repository) -> HeadMemory:
    return HeadMemory(repo.host.machine.state_dir, STACK, "local")


def refusal(repo: Repository) -> str:
    with pytest.raises(RolledBackError) as caught:
        check_head(repo.host.catalog, memory(repo).recall())
    assert caught.value.exit_code == ExitCode.INTEGRITY
    return caught.value.message


def remove(repo: Repository, pattern: str) -> None:
    """Take objects away, as a roll-back of the store does."""
    found = list(repo.store.directory.glob(pattern))
    assert found
    for path in found:
        path.unlink()


def test_the_same_repository_is_believed(seen: Repository) -> None:
    assert check_head(seen.host.catalog, memory(seen).recall()) == memory(seen).recall()


def test_one_that_went_on_is_believed(history: History, seen: Repository) -> None:
    seen.publish_head(at=utcnow() + timedelta(seconds=5))
    head = check_head(seen.host.catalog, memory(seen).recall())
    assert head is not None
    assert head != memory(seen).recall()


def test_one_that_never_had_a_head_is_believed_at_first(repo: Repository) -> None:
    assert check_head(repo.host.catalog, None) is None


def test_an_older_head_is_refused(seen: Repository) -> None:
    remove(seen, "acme/binlog/heads/*")
    seen.publish_head(at=utcnow() - timedelta(days=1))
    assert "rolled back: its newest head is of" in refusal(seen)


def test_another_head_of_the_same_time_is_refused(seen: Repository) -> None:
    known = memory(seen).recall()
    assert known is not None
    remove(seen, "acme/binlog/heads/*")
    seen.publish_head(at=known.at, newest_backup=None)
    assert "another one" in refusal(seen)


def test_a_head_that_is_gone_is_refused(seen: Repository) -> None:
    remove(seen, "acme/binlog/heads/*")
    assert "no head any more" in refusal(seen)


def test_a_segment_gone_from_the_end_is_refused(seen: Repository) -> None:
    remove(seen, "acme/binlog/db-7/*/db-bin.000003*")
    assert "ends at segment 2, and at 3 in" in refusal(seen)


def test_a_head_over_fewer_segments_is_refused(seen: Repository) -> None:
    lineage, records = next(iter(seen.shipped.items()))
    remove(seen, "acme/binlog/db-7/*/db-bin.000003*")
    seen.shipped[lineage] = records[:2]
    seen.publish_head(at=utcnow() + timedelta(seconds=5))
    assert "2 segments, this machine has seen 3" in refusal(seen)


def test_a_rewritten_last_segment_is_refused(history: History, seen: Repository) -> None:
    lineage, records = next(iter(seen.shipped.items()))
    remove(seen, "acme/binlog/db-7/*/db-bin.000003*")
    seen.shipped[lineage] = records[:2]
    seen.ship(history.files[2], lineage_reason="rewritten")
    seen.publish_head(at=utcnow() + timedelta(seconds=5))
    assert "is another than in what this machine saw" in refusal(seen)


def test_a_lineage_that_vanished_is_refused(history: History, seen: Repository) -> None:
    remove(seen, "acme/binlog/db-7/*/*")
    other = "20260102T000000Z-bbbbbbbb"
    seen.ship(history.files[0], lineage=other)
    seen.publish_head(at=utcnow() + timedelta(seconds=5), lineage=other)
    assert "ends at segment 0, and at 3 in what this machine saw" in refusal(seen)


def test_a_backup_that_is_gone_is_refused(history: History, seen: Repository) -> None:
    remove(seen, f"acme/backups/{history.manifest.id}/manifest.json")
    assert f"backup {history.manifest.id} is gone" in refusal(seen)


def test_a_head_by_nobody_trusted_is_refused(seen: Repository, directory: Path) -> None:
    [path] = seen.store.directory.glob("acme/binlog/heads/*.json")
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"segments":3', b'"segments":4'))
    with pytest.raises(SignatureError):
        check_head(seen.host.catalog, memory(seen).recall())


def test_a_restore_remembers_only_once_it_has_succeeded(history: History, repo: Repository) -> None:
    repo.ship(history.files[0], history.files[2])
    repo.publish_head()
    with pytest.raises(Exception, match="count up"):
        restore(repo.host, repo.directory / "restored", latest=True)
    assert memory(repo).recall() is None
    restore(repo.host, repo.directory / "restored")
    assert memory(repo).recall() == repo.host.catalog.newest_head()


def test_a_restore_from_a_repository_that_was_rolled_back_is_refused(seen: Repository) -> None:
    remove(seen, "acme/binlog/heads/*")
    with pytest.raises(RolledBackError):
        restore(seen.host, seen.directory / "restored")
    assert not (seen.directory / "restored").exists()
