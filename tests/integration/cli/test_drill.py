"""`opsctl drill`, `backup layers` and `status` on a customer's host."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl.core.clock import utcnow
from opsctl.overview import wire
from opsctl.overview.demo.stack import DemoStack
from opsctl.overview.status import look
from opsctl.settings import load_settings
from tests.integration.cli.conftest import Machine


@pytest.fixture
def shipped(demo: DemoStack, customer: Machine) -> Machine:
    assert customer.opsctl("backup", "run")[0] == 0
    demo.write_more(2)
    assert customer.opsctl("binlog", "ship")[0] == 0
    return customer


def layer(machine: Machine, number: int) -> dict[str, object]:
    code, document = machine.json("backup", "layers")
    assert code == 0
    found: dict[str, object] = document["layers"][number - 1]
    return found


def test_nothing_is_claimed_that_no_run_has_proved(customer: Machine) -> None:
    code, document = customer.json("status")
    assert code == 0
    assert document["recoverable_until"] is None
    assert document["last_drill"] is None
    assert [due["command"] for due in document["due"]] == [
        "opsctl backup run",
        "opsctl binlog ship",
        "opsctl drill run",
    ]
    assert all(layer["succeeded"] is None for layer in document["layers"])


def test_a_drill_that_passes_is_listed_shown_and_counted_in_status(shipped: Machine) -> None:
    code, document = shipped.json("drill", "run")
    assert code == 0
    assert [result["outcome"] for result in document["report"]["body"]["results"]] == ["passed"] * 8
    drill_id = document["report"]["body"]["id"]
    code, listed = shipped.json("drill", "list")
    assert (code, [drill["id"] for drill in listed["drills"]]) == (0, [drill_id])
    assert shipped.json("drill", "show", drill_id)[1]["report"] == document["report"]
    assert layer(shipped, 1)["drilled"] == layer(shipped, 2)["drilled"] == document["report"]["finished"]
    code, status = shipped.json("status")
    assert status["due"] == []
    assert status["last_drill"]["passed"] is True
    assert status["off_host_until"] is None
    for words in (("drill", "show"), ("drill", "list"), ("status",), ("backup", "layers")):
        _, out, _ = shipped.opsctl(*words)
        assert max(len(line) for line in out.splitlines()) <= 80


def test_a_drill_that_fails_says_so_with_its_exit_code(shipped: Machine) -> None:
    path = next((shipped.directory / "repository").rglob("files-static*.tar.zst.age"))
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1])
    code, out, _ = shipped.opsctl("drill", "run")
    assert code == 4
    assert "FAILED" in out
    assert "Try:" in out
    assert shipped.json("status")[1]["last_drill"]["passed"] is False
    assert layer(shipped, 1)["drilled"] is None


def test_the_recoverable_moment_is_the_newest_heartbeat(shipped: Machine) -> None:
    _, document = shipped.json("binlog", "list")
    heartbeat = document["lineages"][-1]["segments"][-1]["heartbeat"]
    assert shipped.json("status")[1]["recoverable_until"] == heartbeat


def test_when_the_log_began_anew_only_the_backup_can_be_brought_back(demo: DemoStack, shipped: Machine) -> None:
    with demo.connect() as connection, connection.cursor() as cursor:
        cursor.execute("RESET MASTER")
    assert shipped.opsctl("binlog", "ship")[0] == 12
    _, document = shipped.json("status")
    _, backup = shipped.json("backup", "show")
    assert document["recoverable_until"] == backup["manifest"]["finished"]
    assert "began anew" in document["warning"]
    assert "opsctl backup run" in [due["command"] for due in document["due"]]


def test_a_verification_counts_for_its_layer(shipped: Machine) -> None:
    assert layer(shipped, 1)["verified"] is None
    assert shipped.opsctl("backup", "verify")[0] == 0
    assert layer(shipped, 1)["verified"] is not None


def test_an_off_host_copy_survives_the_host(shipped: Machine) -> None:
    copy = shipped.directory / "copy"
    (shipped.directory / "repository").rename(copy)
    copy_of_copy = shipped.directory / "repository"
    shutil.copytree(copy, copy_of_copy)
    text = shipped.config.read_text()
    table = f'[[repositories]]\nname = "offsite"\npath = "{copy}"\noff_host = true\n'
    shipped.config.write_text(f"{text}\n{table}")
    _, document = shipped.json("status")
    assert document["off_host_until"] == document["recoverable_until"]
    assert layer(shipped, 3)["succeeded"] == layer(shipped, 1)["succeeded"]
    assert "loses everything" not in shipped.opsctl("status")[1]


@pytest.mark.parametrize(
    ("later", "commands"),
    [
        (timedelta(minutes=30), ["opsctl binlog ship", "opsctl drill run"]),
        (timedelta(hours=30), ["opsctl backup run", "opsctl binlog ship", "opsctl drill run"]),
    ],
)
def test_what_grows_stale_is_due(shipped: Machine, later: timedelta, commands: list[str]) -> None:
    settings = load_settings(shipped.config).settings
    found = look(settings, wire.surveys(settings), wire.ledger(settings), at=utcnow() + later)
    assert [due.command for due in found.due] == commands


def test_a_drill_result_that_nobody_trusted_signed_is_not_believed(shipped: Machine) -> None:
    assert shipped.opsctl("drill", "run", "--quiet")[:2] == (0, "")
    result = next(path for path in (shipped.directory / "repository/demo/drills").iterdir() if path.suffix == ".json")
    altered(result)
    for words in (("status",), ("drill", "list"), ("backup", "layers")):
        assert shipped.opsctl(*words)[0] == 12


def altered(path: Path) -> None:
    path.chmod(0o640)
    path.write_text(path.read_text().replace('"passed"', '"failed"', 1))
