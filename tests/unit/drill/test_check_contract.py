"""The eight checks keep the contract of a check, also on a restore of which nothing came."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup.catalog import Catalog
from backup.codec import Sealed
from backup.manifest import Artefact, Database, FileSet, Manifest, Site, WebServer
from backup.settings import ObjectivesSection
from opsctl.core.errors import OpsError
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.progress import Silent
from opsctl.core.signing import Verifier
from opsctl.core.store.directory import DirectoryStore
from restore_drill.checks import CHECKS
from restore_drill.context import DrillHost
from restore_drill.paths import ScratchPaths
from restore_drill.restored import Attempt, Check, Restored
from restore_drill.settings import DrillSection
from tests.contracts.check import CheckContract

AT = datetime(2026, 5, 1, tzinfo=UTC)
SEALED = Sealed(plain_size=1, plain_sha256="0" * 64, cipher_size=1, cipher_sha256="0" * 64)
LOST = OpsError("the archive is lost")


def manifest() -> Manifest:
    """A stack with one of everything, so that no check may say that it has nothing to look at."""
    database = Database(
        server_version="10.11", tool_version="10.11", server_id=1, from_lsn="0", to_lsn="1", last_lsn="1",
        binlog_file="bin.000001", binlog_position=4, gtid_position="", gtid_state="", encrypted=True,
        key_file="/etc/mysql/keys", filekey_file=None, tables=(),
    )  # fmt: skip
    blog = Site(
        name="blog", kind="wordpress", config="/srv/blog/wp-config.php", code="/srv/blog", http_host="blog.example",
        uploads="/srv/blog/uploads", known_value=None,
    )  # fmt: skip
    files = FileSet(
        name="blog", paths=("/srv/blog",), files=1, size=1, digest="0" * 64, changed=0, vanished=0,
        uploads="/srv/blog/uploads", upload_count=1,
    )  # fmt: skip
    return Manifest(
        id="20260501T000000Z-full-00000000", stack="acme", kind="full", parent=None, started=AT, finished=AT,
        opsctl_version="0", host="host",
        artefacts=(
            Artefact(name="db", kind="database", key="acme/db", sealed=SEALED, recipients=()),
            Artefact(name="files-blog", kind="files", key="acme/files-blog", sealed=SEALED, recipients=()),
            Artefact(name="files-blog.list", kind="list", key="acme/files-blog.list", sealed=SEALED, recipients=()),
            Artefact(name="keys", kind="keys", key="acme/keys", sealed=SEALED, recipients=()),
        ),
        database=database, files=(files,), sites=(blog,),
        web_server=WebServer(config="/etc/nginx/nginx.conf", server_names=("blog.example",)),
        keys=("/etc/mysql/keys",), phases=(),
    )  # fmt: skip


@pytest.fixture
def hopeless(tmp_path: Path) -> Restored:
    store, verifier = DirectoryStore(tmp_path / "repository"), Verifier(tmp_path / "allowed_signers")
    trust = TrustSection(signer="drill", signing_key=tmp_path / "key", allowed_signers=tmp_path / "allowed_signers")
    host = DrillHost(
        stack="acme", drill=DrillSection(scratch_dir=tmp_path), objectives=ObjectivesSection(),
        machine=MachineSection(state_dir=tmp_path / "state", lock_dir=tmp_path / "locks"), trust=trust,
        repository="local", store=store, off_host=False, ledger=SqliteLedger(tmp_path / "ledger.sqlite"),
        progress=Silent(),
    )  # fmt: skip
    paths = ScratchPaths(tmp_path / "scratch")
    for path in (paths.root, paths.data, paths.tree, paths.keys, paths.state, paths.lists, paths.logs, paths.run):
        path.mkdir()
    restored = Restored(host, Catalog(store, "acme", verifier), manifest(), paths, head_error=LOST)
    restored.opened = {artefact.name: Attempt(None, LOST, 0.0) for artefact in restored.manifest.artefacts}
    restored.prepared = Attempt(None, LOST, 0.0)
    restored.server = Attempt(None, LOST, 0.0)
    restored.replayed = Attempt(None, LOST, 0.0)
    return restored


@pytest.fixture(params=CHECKS, ids=[check.id for check in CHECKS])
def check(request: pytest.FixtureRequest) -> Check:
    found: Check = request.param
    return found


class TestChecks(CheckContract):
    pass


def test_there_are_eight_and_each_has_a_name_of_its_own() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS) == 8
