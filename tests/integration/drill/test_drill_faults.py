"""Each fault in a repository is caught by the one check whose it is; the others pass or could not run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from opsctl.core.result import Outcome
from opsctl.core.signing import Namespace, Signer, create_key
from restore_drill.drill import run_drill
from restore_drill.report import DrillReport
from restore_drill.trust import HeadMemory
from tests.support.drilled import Customer

Fault = Callable[[Path], None]


def find(repository: Path, pattern: str) -> Path:
    """The last file, by name, that fits; writable from now on."""
    file = sorted(repository.glob(f"demo/{pattern}"))[-1]
    file.chmod(0o600)
    return file


def flip(pattern: str) -> Fault:
    def fault(repository: Path) -> None:
        file = find(repository, pattern)
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)

    return fault


def truncate(repository: Path) -> None:
    file = find(repository, "backups/*/db.*")
    file.write_bytes(file.read_bytes()[:-1000])


def remove(pattern: str) -> Fault:
    return lambda repository: find(repository, pattern).unlink()


def add(repository: Path) -> None:
    find(repository, "backups/*/manifest.json").with_name("extra.tar.zst.age").write_bytes(b"extra")


def edit_manifest(repository: Path) -> None:
    file = find(repository, "backups/*/manifest.json")
    file.write_bytes(file.read_bytes().replace(b'"blog.example"', b'"blag.example"'))


def sign_with_another_key(repository: Path) -> None:
    file = find(repository, "backups/*/manifest.json")
    create_key(repository / "stranger", "stranger")
    signature = Signer(repository / "stranger").sign(file.read_bytes(), Namespace.MANIFEST)
    find(repository, "backups/*/manifest.json.sig").write_bytes(signature)


def sign_for_another_purpose(repository: Path) -> None:
    """A signature of the right key, of another document and in another namespace."""
    signature = find(repository, "binlog/heads/*.sig").read_bytes()
    find(repository, "backups/*/manifest.json.sig").write_bytes(signature)


def unknown_version(repository: Path) -> None:
    file = find(repository, "backups/*/manifest.json")
    file.write_bytes(file.read_bytes().replace(b'"version":1', b'"version":2'))


def remove_segment(position: int) -> Fault:
    def fault(repository: Path) -> None:
        records = sorted(repository.glob("demo/binlog/*/*/*.json"))
        records = [record for record in records if "/heads/" not in str(record)]
        records[position].unlink()

    return fault


def edit_segment(repository: Path) -> None:
    file = sorted(path for path in repository.glob("demo/binlog/*/*/*.json") if "/heads/" not in str(path))[1]
    file.chmod(0o600)
    file.write_bytes(file.read_bytes().replace(b'"transactions":', b'"transactions":1'))


def drill(customer: Customer, fault: Fault) -> DrillReport:
    fault(customer.repository)
    return run_drill(customer.drill_host)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (flip("backups/*/db.*"), "decrypt"),
        (flip("backups/*/files-blog.list*"), "decrypt"),
        (flip("backups/*/keys.*"), "decrypt"),
        (truncate, "manifest"),
        (remove("backups/*/keys.*"), "manifest"),
        (add, "manifest"),
        (edit_manifest, "manifest"),
        (remove("backups/*/manifest.json.sig"), "manifest"),
        (sign_with_another_key, "manifest"),
        (sign_for_another_purpose, "manifest"),
        (unknown_version, "manifest"),
        (flip("binlog/*/*/*.zst.age"), "replay"),
        (remove_segment(1), "replay"),
        (edit_segment, "replay"),
    ],
)
def test_a_fault_at_rest_is_caught_by_its_check_alone(customer: Customer, fault: Fault, check: str) -> None:
    report = drill(customer, fault)
    outcomes = {result.id: result.outcome for result in report.body.results}
    found = [(result.id, result.found) for result in report.body.results if not result.passed]
    assert outcomes.pop(check) is Outcome.FAILED, found
    assert Outcome.FAILED not in outcomes.values(), found
    assert report.body.exit_code is ExitCode.FINDINGS
    assert all(result.hint for result in report.body.results if not result.passed)


def test_a_repository_that_was_rolled_back_is_caught_by_who_remembers(customer: Customer) -> None:
    host = customer.drill_host
    head = host.catalog.newest_head()
    assert head is not None
    HeadMemory(host.machine.state_dir, host.stack, host.repository).remember(head)

    def roll_back(repository: Path) -> None:
        for pattern in ("binlog/heads/*.json", "binlog/heads/*.json.sig"):
            find(repository, pattern).unlink()
        remove_segment(-1)(repository)

    report = drill(customer, roll_back)
    outcomes = {result.id: result.outcome for result in report.body.results}
    assert outcomes.pop("manifest") is Outcome.FAILED
    assert Outcome.FAILED not in outcomes.values()
    assert "rolled back" in report.body.results[1].found
    remembered = HeadMemory(host.machine.state_dir, host.stack, host.repository).recall()
    assert remembered == head


def test_a_manifest_that_is_not_believed_opens_nothing(customer: Customer) -> None:
    report = drill(customer, edit_manifest)
    assert [result.outcome for result in report.body.results].count(Outcome.COULD_NOT_RUN) == 7
    assert report.body.phases == ()
    assert report.body.backup_finished is None
