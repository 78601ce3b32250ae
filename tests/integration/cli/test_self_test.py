"""`opsctl drill self-test` on a customer's host."""

import pytest

from opsctl.core.errors import ExitCode
from opsctl.overview.demo.stack import DemoStack
from restore_drill.self_test.faults import FAULTS
from tests.integration.cli.conftest import Machine


@pytest.fixture
def shipped(demo: DemoStack, customer: Machine) -> Machine:
    """A backup, and one shipment after it."""
    assert customer.opsctl("backup", "run")[0] == 0
    demo.write_more(2)
    assert customer.opsctl("binlog", "ship")[0] == 0
    return customer


def test_faults_are_listed_without_settings(machine: Machine) -> None:
    machine.config.unlink()
    code, document = machine.json("drill", "self-test", "--list")
    assert (code, document["kind"]) == (0, "drill-faults")
    assert [fault["id"] for fault in document["faults"]] == [fault.id for fault in FAULTS]
    _, out, _ = machine.opsctl("drill", "self-test", "--list")
    assert max(len(line) for line in out.splitlines()) <= 80
    assert f"{len(FAULTS)} faults" in out


def test_chosen_faults_are_tried_and_shown(shipped: Machine) -> None:
    words = ("drill", "self-test", "--fault", "stranger", "--fault", "flip-state")
    code, document = shipped.json(*words)
    assert (code, document["kind"]) == (0, "drill-self-test")
    body = document["report"]["body"]
    assert [(each["id"], each["verdict"], each["caught_by"]) for each in body["faults"]] == [
        ("flip-state", "caught", ["decrypt"]),
        ("stranger", "caught", ["manifest"]),
    ]
    assert (body["unchanged"], body["complete"]) == (True, False)
    code, out, _ = shipped.opsctl("drill", "self-test", "--fault", "stranger")
    assert code == 0
    assert "1 of 1 fault caught" in out
    assert "stranger  manifest  manifest" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert shipped.opsctl("drill", "self-test", "--fault", "stranger", "--quiet")[:2] == (0, "")


def test_what_a_self_test_finds_has_the_exit_code_of_findings(shipped: Machine) -> None:
    path = next((shipped.directory / "repository").rglob("files-static*.tar.zst.age"))
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1])
    code, out, _ = shipped.opsctl("drill", "self-test")
    assert code == ExitCode.FINDINGS
    assert "so no fault was tried" in out
    assert "FAILED" in out


def test_a_fault_that_is_not_known_is_a_mistake_in_the_words(shipped: Machine) -> None:
    code, _, err = shipped.opsctl("drill", "self-test", "--fault", "stanger")
    assert code == ExitCode.USAGE
    assert "did you mean stranger?" in err
