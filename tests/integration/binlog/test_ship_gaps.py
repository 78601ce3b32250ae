"""What `binlog list` and `binlog gaps` are told about an archive made from a real server."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backup.binlog.gaps import GapKind, find_gaps
from backup.binlog.lineage import full_backup_due
from backup.binlog.overview import segments_overview
from backup.binlog.ship import LineageBrokenError, ship
from backup.context import Host
from backup.documents import publish
from backup.heads import KEPT, publish_head
from backup.layout import heads
from backup.layout import manifest as manifest_key
from backup.manifest import Manifest
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError
from opsctl.core.signing import Namespace
from opsctl.core.store.directory import DirectoryStore
from tests.integration.binlog.shipping import LOGGING, insert, lineage, shipping_host
from tests.support.mariadb import Server, running_server
from tests.unit.backup.binlogs import manifest


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(LOGGING) as server:
        yield server


@pytest.fixture
def live(server: Server, tmp_path: Path) -> Host:
    """A host that has shipped two segments, on a running server."""
    return ship_some(shipping_host(tmp_path, server), server, 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A host that has shipped four segments."""
    with running_server(LOGGING) as server:
        return ship_some(shipping_host(tmp_path_factory.mktemp("made"), server), server, 4)


@pytest.fixture
def host(made: Host, tmp_path: Path) -> Host:
    """A copy of it: repository, trust and state are the test's own; its server is gone."""
    directory = tmp_path / "host"
    shutil.copytree(made.machine.state_dir.parent, directory)
    trust = made.trust.model_copy(update={"allowed_signers": directory / "etc" / "allowed_signers"})
    machine = made.machine.model_copy(update={"state_dir": directory / "state"})
    return replace(made, store=DirectoryStore(directory / "repository"), trust=trust, machine=machine)


def ship_some(host: Host, server: Server, count: int) -> Host:
    for key in range(count):
        insert(server, key)
        ship(host)
    return host


def path(host: Host, number: int, ending: str) -> Path:
    """A file of the repository: `.json`, `.json.sig` or `.zst.age` of a segment."""
    stem = lineage(host)[number - 1].key.removesuffix(".zst.age")
    found = host.machine.state_dir.parent / "repository" / f"{stem}{ending}"
    assert found.is_file()
    return found


def kinds(host: Host) -> list[tuple[GapKind, str | None]]:
    return [(gap.kind, gap.name) for gap in find_gaps(host.catalog)]


def take_backup(host: Host, server: Server, kind: str = "full") -> Manifest:
    """What a backup leaves in the repository: a manifest with the server's position."""
    file, position, *_ = server.sql("SHOW MASTER STATUS")[0]
    facts = manifest(file, position, server.value("SELECT @@gtid_binlog_state"), minute=0, kind=kind)
    now = utcnow()
    backup = facts.model_copy(update={"id": f"{now:%Y%m%dT%H%M%S%fZ}-{kind}", "started": now, "finished": now})
    key = manifest_key(host.stack.name, backup.id)
    publish(host.store, host.signer, Namespace.MANIFEST, key, backup)
    return backup


def test_an_archive_without_gaps_has_none(host: Host) -> None:
    assert find_gaps(host.catalog) == []


def test_the_overview_says_what_each_lineage_holds(live: Host, server: Server) -> None:
    server.sql("RESET MASTER")
    with pytest.raises(LineageBrokenError):
        ship(live)
    first, second = segments_overview(live.catalog)
    assert (first.reason, len(first.segments), first.server) == ("first shipment", 2, "s7")
    assert (len(second.segments), second.transactions) == (1, 1)
    assert first.plain_size == sum(segment.sealed.plain_size for segment in lineage(live, 0))
    assert first.heartbeat is not None
    assert second.heartbeat is not None
    assert first.heartbeat < second.heartbeat


def test_another_lineage_is_a_gap_with_its_reason_and_the_times_between(live: Host, server: Server) -> None:
    server.sql("RESET MASTER")
    with pytest.raises(LineageBrokenError):
        ship(live)
    (gap,) = find_gaps(live.catalog)
    assert gap.kind is GapKind.LINEAGE
    assert "began its logs anew" in gap.what
    assert gap.after == lineage(live, 0)[-1].heartbeat
    assert gap.until == lineage(live)[0].first_time


def remove_record(host: Host) -> tuple[GapKind, str]:
    path(host, 2, ".json").unlink()
    return GapKind.RECORD, "bin.000003"


def remove_first_record(host: Host) -> tuple[GapKind, str]:
    path(host, 1, ".json").unlink()
    return GapKind.RECORD, "bin.000002"


def remove_archive(host: Host) -> tuple[GapKind, str]:
    path(host, 2, ".zst.age").unlink()
    return GapKind.ARCHIVE, "bin.000002"


def cut_archive(host: Host) -> tuple[GapKind, str]:
    archive = path(host, 3, ".zst.age")
    archive.chmod(0o640)
    archive.write_bytes(archive.read_bytes()[:-1])
    return GapKind.ARCHIVE, "bin.000003"


def resign_record(host: Host, **changes: object) -> None:
    """Replace the second record with another that is signed as well."""
    segment = lineage(host)[1].model_copy(update=changes)
    record, signature = path(host, 2, ".json"), path(host, 2, ".json.sig")
    key = str(record.relative_to(host.machine.state_dir.parent / "repository"))
    record.unlink()
    signature.unlink()
    publish(host.store, host.signer, Namespace.SEGMENT, key, segment)


def replace_record(host: Host) -> tuple[GapKind, str]:
    resign_record(host, transactions=99)
    return GapKind.CHAIN, "bin.000003"


@pytest.mark.parametrize("harm", [remove_record, remove_first_record, remove_archive, cut_archive, replace_record])
def test_each_harm_to_the_archive_is_a_gap(host: Host, harm: Callable[[Host], tuple[GapKind, str]]) -> None:
    expected = harm(host)
    assert kinds(host) == [expected]


def test_a_state_that_does_not_join_is_a_gap(host: Host) -> None:
    resign_record(host, last_state="0-7-1")
    assert (GapKind.STATE, "bin.000003") in kinds(host)


def test_a_name_that_does_not_follow_is_a_gap(host: Host) -> None:
    resign_record(host, name="bin.000009")
    assert (GapKind.STATE, "bin.000003") in kinds(host)


def test_records_that_nobody_trusted_signed_are_gaps(host: Host) -> None:
    host.trust.allowed_signers.write_text("")
    assert (GapKind.UNREADABLE, "bin.000004") in kinds(host)


def test_a_changed_record_is_a_gap_although_the_last_one_is_signed(host: Host) -> None:
    record = path(host, 2, ".json")
    record.chmod(0o640)
    record.write_bytes(record.read_bytes().replace(b'"number":2', b'"number":2 '))
    assert kinds(host) == [(GapKind.UNREADABLE, "bin.000002"), (GapKind.CHAIN, "bin.000003")]


def test_an_unreadable_record_does_not_hide_the_others(host: Host) -> None:
    record = path(host, 2, ".json")
    record.chmod(0o640)
    record.write_bytes(b"{}")
    assert kinds(host) == [(GapKind.UNREADABLE, "bin.000002"), (GapKind.RECORD, "bin.000003")]


def test_a_cut_tail_is_seen_by_the_newest_head(host: Host) -> None:
    removed = [path(host, 4, ending) for ending in (".json", ".json.sig", ".zst.age")]
    for file in removed:
        file.unlink()
    (gap,) = find_gaps(host.catalog)
    assert (gap.kind, gap.name) == (GapKind.TAIL, "bin.000003")
    assert "has seen 4 segments, 3 are here" in gap.what


def test_a_head_states_the_newest_backup_and_is_newer_than_the_one_before(live: Host, server: Server) -> None:
    before = live.catalog.newest_head()
    backup = take_backup(live, server)
    head = publish_head(live)
    assert before is not None
    assert (before.newest_backup, head.newest_backup) == (None, backup.id)
    assert head.at > before.at
    assert live.catalog.newest_head() == head


def test_a_stack_that_has_shipped_nothing_has_a_head_too(server: Server, tmp_path: Path) -> None:
    head = publish_head(shipping_host(tmp_path, server))
    assert (head.lineage, head.segments, head.last_record) == (None, 0, "0" * 64)


def test_only_the_newest_heads_are_kept_with_their_signatures(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    published = [publish_head(host) for _ in range(KEPT + 3)]
    keys = [item.key for item in host.store.list(heads("acme"))]
    assert len(keys) == 2 * KEPT
    assert host.catalog.newest_head() == published[-1]
    assert f"{published[3].at:%Y%m%dT%H%M%S%fZ}" in keys[0]


def test_a_full_backup_is_due_after_a_gap_until_there_is_one(live: Host, server: Server) -> None:
    assert full_backup_due(live.catalog) == "there is no full backup"
    take_backup(live, server)
    assert full_backup_due(live.catalog) is None
    assert ship(live).body.full_backup_due is None
    server.sql("RESET MASTER")
    with pytest.raises(LineageBrokenError) as caught:
        ship(live)
    assert "the binary log began anew after the full backup" in (caught.value.shipment.body.full_backup_due or "")
    take_backup(live, server, kind="incremental")
    assert ship(live).body.full_backup_due is not None
    take_backup(live, server)
    assert ship(live).body.full_backup_due is None


def test_a_backup_from_before_the_first_shipment_is_continued_by_it(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    take_backup(host, server)
    insert(server, 1)
    assert ship(host).body.full_backup_due is None


def test_the_overview_refuses_a_broken_lineage(host: Host) -> None:
    remove_record(host)
    with pytest.raises(IntegrityError, match="segment 2 of lineage"):
        segments_overview(host.catalog)
