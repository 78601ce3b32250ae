"""Copies of logical exports in another repository: whole or not there, and as good as the first."""

from pathlib import Path

from backup import layout
from backup.catalog import Catalog
from backup.copies.run import Destination, copy_to
from backup.logical.catalog import export_ids
from backup.logical.run import run_export
from backup.readme import exports_key
from backup.settings import CopySection
from backup.verify import verify_export
from opsctl.core.progress import Silent
from opsctl.core.result import Outcome
from opsctl.core.store.directory import DirectoryStore
from restore_drill.exports.drill import run_export_drill
from tests.support.host import make_drill_host, make_host
from tests.support.mariadb import Server


def test_an_export_and_its_drill_arrive_in_the_other_repository_and_one_that_is_altered_does_not(
    directory: Path, server: Server
) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT)")
    host = make_host(directory, server)
    good = run_export(host)
    drill = run_export_drill(make_drill_host(host), good.id)
    bad = run_export(host)
    path = directory / "repository" / bad.dump("shop").key
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o640)
    path.write_bytes(data)
    other = DirectoryStore(directory / "other")
    record = copy_to(host, Destination("other", other, True, None), CopySection())
    assert record.outcome is Outcome.FAILED
    there = Catalog(other, "acme", host.verifier)
    assert export_ids(there) == [good.id]
    assert verify_export(there, good.id, ledger=host.ledger, progress=Silent()).outcome is Outcome.PASSED
    for key in (f"{layout.export_drills('acme')}{drill.body.id}.json", exports_key("acme")):
        assert other.stat(key) is not None
