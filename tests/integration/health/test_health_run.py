"""`opsctl health run`: one look, its exit code, its record, and what people and watchers hear of it."""

import json
import socket
from pathlib import Path

from opsctl.core.locks import lock
from tests.integration.health.conftest import Program
from tests.support.disk import MIB, small_disk
from tests.support.receivers import receiver

WELL = '[[visits]]\nname = "{name}"\nurl = "http://{name}.example:{port}/"\naddress = "127.0.0.1"\ntimeout_s = 1\n'


def visits(port: int, *names: str) -> str:
    return "".join(WELL.format(name=name, port=port) for name in names)


def channel(program: Program, url: str) -> str:
    path = program.secret("hook.url", url)
    return f'[[channels]]\nname = "hook"\nurl_file = "{path}"\n'


def test_all_well_is_exit_0_a_record_and_silence(program: Program) -> None:
    with receiver() as web, receiver() as hook:
        program.settings(visits(web.port, "blog", "shop"), channel(program, hook.url("json")))
        done = program.run("health", "run", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert {request.headers["Host"] for request in web.requests} == {
            f"{name}.example:{web.port}" for name in ("blog", "shop")
        }
        assert hook.requests == []
    [record] = program.records("health")
    assert record["outcome"] == "passed"
    assert record["body"]["passed"] == 4
    assert record["body"]["findings"] == []


def test_a_site_that_hangs_is_found_told_once_and_its_return_told_once(program: Program) -> None:
    with receiver() as web, receiver() as hook, socket.create_server(("127.0.0.1", 0)) as silent:
        told = channel(program, hook.url("json"))
        program.settings(visits(silent.getsockname()[1], "blog"), told)
        for _ in range(2):
            code, answer = program.json("health", "run")
            assert code == 4
            assert [result["id"] for result in answer["results"] if result["outcome"] == "failed"] == ["visit.blog"]
            assert answer["problems"] == []
        assert [request.json()["title"] for request in hook.requests] == ["acme: FAILED: visitors reach blog"]
        program.settings(visits(web.port, "blog"), told)
        for _ in range(2):
            assert program.run("health", "run").returncode == 0
        assert [request.json()["title"] for request in hook.requests[1:]] == ["Over: acme: FAILED: visitors reach blog"]
    assert [record["outcome"] for record in program.records("health")] == ["failed", "failed", "passed", "passed"]


def test_what_could_not_be_looked_at_is_exit_3_and_told(program: Program) -> None:
    with receiver() as hook:
        program.settings('[health]\ndisks = ["/no/such/place"]\n', channel(program, hook.url("json")))
        assert program.run("health", "run").returncode == 3
        assert "could not be checked" in str(hook.requests[0].json()["title"])


def test_messages_that_nobody_takes_change_neither_exit_code_nor_record(program: Program) -> None:
    with receiver() as web:
        program.settings(visits(web.port, "blog"), channel(program, "json://127.0.0.1:1/"))
        assert program.run("health", "run").returncode == 0
        program.settings(visits(1, "blog"), channel(program, "json://127.0.0.1:1/"))
        code, answer = program.json("health", "run")
    assert code == 4
    assert ["not told to hook" in problem for problem in answer["problems"]] == [True]
    assert [record["outcome"] for record in program.records("notification")] == ["failed"]
    _, listed = program.json("notify", "list")
    assert [(waiting["target"], waiting["attempts"]) for waiting in listed["waiting"]] == [("hook", 1)]


def test_watchers_get_a_textfile_and_a_line(program: Program) -> None:
    with receiver() as web:
        program.settings(
            f'[notify]\ntextfile_dir = "{program.directory}"\nhealth_file = "{program.directory}/health.json"\n',
            visits(web.port, "blog"),
            visits(1, "shop"),
        )
        program.run("health", "run")
    line = (program.directory / "health.json").read_text()
    assert line.count("\n") == 1
    found = json.loads(line)
    assert (found["outcome"], found["passed"], found["failed"]) == ("failed", 3, 1)
    assert found["wrong"] == ["visit.shop"]
    metrics = (program.directory / "opsctl_health.prom").read_text().splitlines()
    assert 'opsctl_health_check_passed{stack="acme",check="visit.blog"} 1' in metrics
    assert 'opsctl_health_check_passed{stack="acme",check="visit.shop"} 0' in metrics
    assert any(metric.startswith('opsctl_health_figure{stack="acme",check="disk.root",') for metric in metrics)


def test_a_dry_run_looks_and_leaves_nothing_behind(program: Program) -> None:
    with receiver() as hook:
        program.settings(visits(1, "blog"), channel(program, hook.url("json")))
        assert program.run("health", "run", "--dry-run").returncode == 4
        assert hook.requests == []
    assert not (program.directory / "state").exists()


def test_only_what_is_named_is_looked_at(program: Program) -> None:
    program.settings(visits(1, "blog"))
    code, answer = program.json("health", "run", "--only", "disk.*", "--only", "inodes.root")
    assert (code, [result["id"] for result in answer["results"]]) == (0, ["disk.root", "inodes.root"])
    done = program.run("health", "run", "--only", "dsik.*")
    assert done.returncode == 2
    assert "no check is named dsik.*" in done.stderr


def test_a_full_disk_is_told_although_nothing_can_be_recorded_there_and_nothing_is_restarted(program: Program) -> None:
    state = program.directory / "state"
    policy = '[[recoveries]]\nchecks = ["visit.*"]\nunit = "no-such.service"\n'
    with small_disk(state, 4 * MIB) as disk, receiver() as hook:
        program.settings(f'[health]\ndisks = ["{state}"]\n', channel(program, hook.url("json")))
        assert program.run("health", "run").returncode == 0
        disk.leave(0)
        program.settings(
            f'[health]\ndisks = ["{state}"]\n', policy, visits(1, "blog"), channel(program, hook.url("json"))
        )
        code, answer = program.json("health", "run")
        assert code == 1
        assert answer["recoveries"] == []
        assert "the disk is full" in answer["problems"][0]
        assert sorted(str(request.json()["title"]) for request in hook.requests) == [
            f"acme: FAILED: there is room at {state}",
            "acme: FAILED: visitors reach blog",
        ]


def test_a_look_at_a_part_says_nothing_about_the_rest(program: Program) -> None:
    with receiver() as hook:
        program.settings(visits(1, "blog"), visits(1, "shop"), channel(program, hook.url("json")))
        program.run("health", "run", "--only", "visit.blog")
        program.run("health", "run", "--only", "visit.shop")
        program.run("health", "run", "--only", "disk.*")
        assert [request.json()["title"] for request in hook.requests] == [
            "acme: FAILED: visitors reach blog",
            "acme: FAILED: visitors reach shop",
        ]


def test_a_site_that_nobody_visits_is_named(program: Program) -> None:
    program.settings('[[sites]]\nname = "crm"\nkind = "python"\npaths = ["/srv/crm"]\n')
    assert "Nobody visits: crm." in program.run("health", "run").stdout


def test_while_a_restore_runs_nothing_is_restarted_and_nobody_told(program: Program, tmp_path: Path) -> None:
    policy = '[[recoveries]]\nchecks = ["visit.*"]\nunit = "no-such.service"\n'
    with receiver() as hook:
        program.settings(visits(1, "blog"), policy, channel(program, hook.url("json")))
        with lock(tmp_path / "run", "restore-acme-1a2b", doing="restore"):
            code, answer = program.json("health", "run")
        assert (code, answer["recoveries"]) == (4, [])
        assert "restore, by" in answer["hands_off"]
        assert hook.requests == []
    assert program.records("recovery") == []
