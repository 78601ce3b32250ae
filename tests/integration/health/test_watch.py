"""`opsctl health watch`: uptime seen from outside, as a record."""

import signal
import subprocess
import sys
from itertools import count

from tests.integration.health.conftest import Program
from tests.support.receivers import Request, receiver


def test_the_share_of_good_answers_is_a_record_with_the_outages(program: Program) -> None:
    program.settings()
    numbers = count(1)

    def answer(request: Request) -> tuple[int, bytes]:
        return (503 if next(numbers) in {3, 4, 7} else 200), b"Welcome"

    with receiver(answer) as web:
        url = web.url(path="/")
        code, found = program.json("health", "watch", url, "--samples", "10", "--every", "0.1", "--text", "Welcome")
    assert code == 4
    [record] = program.records("availability")
    assert record["body"] == found["addresses"][0]
    assert record["outcome"] == "failed"
    assert (record["body"]["samples"], record["body"]["good"], record["body"]["availability"]) == (10, 7, 0.7)
    assert [outage["samples"] for outage in record["body"]["outages"]] == [2, 1]
    assert "answers 503" in record["body"]["outages"][0]["why"]


def test_two_bad_answers_in_a_row_are_told_and_one_is_not(program: Program) -> None:
    numbers = count(1)
    with receiver(lambda request: (503 if next(numbers) in {2, 5, 6} else 200, b"")) as web, receiver() as hook:
        path = program.secret("hook.url", hook.url("json"))
        program.settings(f'[[channels]]\nname = "hook"\nurl_file = "{path}"\n')
        program.run("health", "watch", web.url(path="/"), "--samples", "8", "--every", "0.1")
        title = f"acme: {web.url(path='/')} does not answer as it should"
        assert [request.json()["title"] for request in hook.requests] == [title, f"Over: {title}"]


def test_what_this_machine_could_not_ask_for_counts_for_nothing(program: Program) -> None:
    program.settings()
    code, found = program.json("health", "watch", "http://255.255.255.255/", "--samples", "2", "--every", "0.1")
    assert code == 3
    assert (found["addresses"][0]["unknown"], found["addresses"][0]["availability"]) == (2, None)
    assert [record["outcome"] for record in program.records("availability")] == ["could_not_run"]


def test_what_was_seen_is_recorded_when_it_is_interrupted(program: Program) -> None:
    program.settings()
    with receiver() as web:
        words = ["--config", str(program.directory / "opsctl.toml"), "health", "watch", web.url(path="/")]
        watching = subprocess.Popen(
            [sys.executable, "-m", "opsctl", *words, "--every", "0.1", "--samples", "100000"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        web.wait_for(3)
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(60) == 143
    [record] = program.records("availability")
    assert record["body"]["samples"] >= 2


def test_what_is_no_address_is_refused(program: Program) -> None:
    program.settings()
    done = program.run("health", "watch", "blog.example")
    assert done.returncode == 2
    assert "https://blog.example/" in done.stderr
