"""Drills of logical exports: what passes, and what each check notices."""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backup import layout
from backup.context import Host
from backup.documents import publish
from backup.logical.document import Export
from backup.logical.run import run_export
from opsctl.core.errors import IntegrityError, SettingsError
from opsctl.core.result import Outcome
from opsctl.core.signing import Namespace, create_key
from restore_drill.context import DrillHost
from restore_drill.exports.drill import run_export_drill
from restore_drill.exports.report import EXPORT_DRILLS, ExportDrillReport
from restore_drill.exports.restore import restore_export
from tests.support.everything import content
from tests.support.host import make_drill_host, make_host
from tests.support.mariadb import Server, running_server

OUTCOMES = {Outcome.PASSED: "passed", Outcome.FAILED: "FAILED", Outcome.COULD_NOT_RUN: "-"}


@dataclass
class Exported:
    """A host whose server has been exported and is gone, and its export."""

    host: Host
    export: Export
    directory: Path

    @property
    def drill_host(self) -> DrillHost:
        return make_drill_host(self.host)

    def path(self, name: str) -> Path:
        path = self.directory / "repository" / self.export.dump(name).key
        path.chmod(0o640)
        return path

    def published(self, export: Export) -> None:
        """Publish another document in place of the export's, signed by the host itself."""
        key = layout.export_document(export.stack, export.id)
        for each in (key, key + ".sig"):
            (self.directory / "repository" / each).unlink()
        publish(self.host.store, self.host.signer, Namespace.MANIFEST, key, export)


def outcomes(report: ExportDrillReport) -> dict[str, str]:
    return {result.id: OUTCOMES[result.outcome] for result in report.body.results}


def found(report: ExportDrillReport, check: str) -> str:
    return next(result.found for result in report.body.results if result.id == check)


@pytest.fixture
def exported(directory: Path) -> Exported:
    """A small export, to be spoiled."""
    with running_server(("--log-bin=bin", "--server-id=7")) as server:
        server.sql(
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (i INT PRIMARY KEY, w VARCHAR(20))",
            "INSERT INTO shop.t VALUES (1, 'one'), (2, 'two')",
            "CREATE EVENT shop.runs ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.t",
        )
        host = make_host(directory, server)
        export = run_export(host)
    return Exported(host, export, directory)


def test_an_export_of_everything_passes_its_drill_and_restores_into_a_datadir_of_its_own(
    directory: Path, full_server: Server
) -> None:
    host = make_host(directory, full_server)
    export = run_export(host)
    source = content(full_server)
    report = run_export_drill(make_drill_host(host), "latest")
    assert set(outcomes(report).values()) == {"passed"}, report.body.results
    assert report.body.export_id == export.id
    assert EXPORT_DRILLS.all(host.catalog) == [report]
    assert [path.name for path in directory.iterdir() if path.name.startswith("opsctl-")] == []
    restored = restore_export(make_drill_host(host), directory / "back", "latest")
    assert restored.rows == sum(table.rows or 0 for table in source.tables)
    assert {path.name for path in (directory / "back").iterdir()} == {"data", "keys", "my.cnf", "START.txt"}
    key = directory / "back/keys/keys"
    words = ["--plugin-load-add=file_key_management", f"--file-key-management-filename={key}", "--innodb-encrypt-log"]
    with running_server(words, datadir=directory / "back/data") as server:
        assert content(server) == source
        encrypted = "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE ENCRYPTION_SCHEME = 1"
        assert server.value(encrypted) > 0


def test_stock_programs_bring_everything_back_as_the_repository_says(directory: Path, full_server: Server) -> None:
    host = make_host(directory, full_server)
    export = run_export(host)
    source = content(full_server)
    page = (directory / "repository/acme/README-exports.txt").read_text()
    lines = [line[4:] for line in page.splitlines() if line.startswith("    ") and line[4] != " "]
    with running_server(["--event-scheduler=OFF"]) as server:
        server.sql(
            "CREATE USER hand@localhost IDENTIFIED BY 'hand'",
            "GRANT ALL ON *.* TO hand@localhost WITH GRANT OPTION",
            "GRANT PROXY ON ''@'%' TO hand@localhost WITH GRANT OPTION",
        )
        (directory / "client.cnf").write_text(f"[client]\nuser=hand\npassword=hand\nsocket={server.socket}\n")
        settings = {
            "E": f"{directory}/repository/acme/exports/{export.id}",
            "IDENTITY": f"{directory}/identities/data.txt",
            "ALLOWED_SIGNERS": f"{directory}/etc/allowed_signers",
            "SIGNER": "host@acme",
            "CLIENT": f"{directory}/client.cnf",
        }
        script = "\n".join(line for line in lines if not line.startswith(tuple(f"{name}=" for name in settings)))
        script = "\n".join([*(f"{name}={value}" for name, value in settings.items()), script])
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        server.sql("DROP USER hand@localhost")
        assert content(server) == source


def test_a_flipped_bit_fails_decryption_and_nothing_is_delivered(exported: Exported) -> None:
    data = bytearray(exported.path("shop").read_bytes())
    data[-20] ^= 1
    exported.path("shop").write_bytes(data)
    report = run_export_drill(exported.drill_host, exported.export.id)
    assert outcomes(report)["decrypt"] == "FAILED"
    assert outcomes(report)["tables"] == "FAILED"
    with pytest.raises(IntegrityError):
        restore_export(exported.drill_host, exported.directory / "back", "latest")
    assert not (exported.directory / "back").exists()


def test_a_missing_and_an_extra_archive_fail_the_document(exported: Exported) -> None:
    path = exported.path("shop")
    path.rename(path.with_name("other.sql.zst.age"))
    report = run_export_drill(exported.drill_host, exported.export.id)
    assert outcomes(report)["document"] == "FAILED"
    assert "is missing" in found(report, "document")
    assert "are no part of the export" in found(report, "document")


def test_a_document_that_nobody_trusted_signed_is_not_looked_into(exported: Exported) -> None:
    create_key(exported.directory / "thief", "host@acme")
    thief = replace(
        exported.host, trust=exported.host.trust.model_copy(update={"signing_key": exported.directory / "thief"})
    )
    Exported(thief, exported.export, exported.directory).published(exported.export)
    report = run_export_drill(exported.drill_host, "latest")
    assert outcomes(report) == {
        "document": "FAILED",
        "decrypt": "-",
        "load": "-",
        "tables": "-",
        "programs": "-",
        "accounts": "-",
    }


def test_a_wrong_identity_says_nothing_about_the_export(exported: Exported) -> None:
    keys = exported.directory / "identities/keys.txt"
    drill = exported.drill_host.drill.model_copy(update={"identity_files": (exported.directory / "none.txt",)})
    report = run_export_drill(replace(exported.drill_host, drill=drill), "latest")
    assert outcomes(report)["decrypt"] == "-"
    drill = drill.model_copy(update={"identity_files": (keys,)})
    report = run_export_drill(replace(exported.drill_host, drill=drill), "latest")
    assert outcomes(report)["decrypt"] == "FAILED"


@pytest.mark.parametrize(
    ("part", "changes", "check", "words"),
    [
        ("tables", {"rows": 3}, "tables", "shop.t: has 2 rows, the source had 3"),
        ("tables", {"checksum": "1"}, "tables", "shop.t: holds other values than the source did"),
        ("tables", {"name": "lost"}, "tables", "table shop.lost is missing; table shop.t is not of the export"),
        ("tables", {"engine": "Aria"}, "tables", "shop.t: is a table of InnoDB, the source's is a table of Aria"),
        ("programs", {"status": "DISABLED"}, "programs", "event shop.runs is ENABLED, the source's was DISABLED"),
        ("programs", {"definer": "x@y"}, "programs", "works for root@localhost, the source's for x@y"),
        ("programs", {"sha256": "0" * 64}, "programs", "event shop.runs has another text"),
    ],
)
def test_what_was_loaded_and_is_not_what_the_source_had_fails_its_check(
    exported: Exported, part: str, changes: dict[str, object], check: str, words: str
) -> None:
    said = [
        each.model_copy(update=changes) if each.database == "shop" else each for each in getattr(exported.export, part)
    ]
    exported.published(exported.export.model_copy(update={part: tuple(said)}))
    report = run_export_drill(exported.drill_host, "latest")
    assert words in found(report, check)
    assert {name for name, outcome in outcomes(report).items() if outcome != "passed"} == {check}


def test_a_lost_account_fails_its_check(exported: Exported) -> None:
    exported.published(exported.export.model_copy(update={"accounts": (*exported.export.accounts, "gone@%")}))
    report = run_export_drill(exported.drill_host, "latest")
    assert found(report, "accounts") == "user gone@% is missing"


def test_an_export_that_is_not_there_is_a_mistake_of_who_asks(exported: Exported) -> None:
    with pytest.raises(SettingsError, match="there is no export x"):
        run_export_drill(exported.drill_host, "x")
