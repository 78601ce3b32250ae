"""Health and maintenance on a booted host: units are broken for real, restarted, given up on; a reboot ends nothing."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from opsctl.core.clock import iso, utcnow
from tests.hosts.host import Host
from tests.support.receivers import Receiver, receiver

FPM = "php8.2-fpm.service"
SETTINGS = f"""
[stack]
name = "acme"
[trust]
signer = "host@acme"
[health]
php_fpm_sockets = ["/run/php/php8.2-fpm.sock"]
units = ["nginx.service", "worker.service"]
[[visits]]
name = "blog"
url = "http://blog.example/"
address = "127.0.0.1"
text = "PHP works"
[[timers]]
unit = "nightly.timer"
[[recoveries]]
checks = ["php.*", "visit.*"]
unit = "{FPM}"
per_hour = 2
settle_s = 5
[[recoveries]]
checks = ["unit.worker_service"]
unit = "worker.service"
per_hour = 1
settle_s = 1
[notify]
textfile_dir = "/var/lib/metrics"
health_file = "/run/opsctl/health.json"
[[channels]]
name = "hook"
url_file = "/etc/opsctl/hook.url"
"""
SITE = """
server { listen 80; server_name blog.example; root /srv/blog; include /var/lib/opsctl/maintenance/server*.conf;
         location / { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php/php8.2-fpm.sock; } }
"""
FILES = {
    "/etc/opsctl/opsctl.toml": SETTINGS,
    "/srv/blog/index.php": '<?php echo "PHP works";',
    "/etc/nginx/conf.d/blog.conf": SITE,
    "/etc/nginx/conf.d/opsctl-maintenance.conf": "include /var/lib/opsctl/maintenance/http*.conf;\n",
    "/etc/systemd/system/nightly.timer": "[Timer]\nOnCalendar=daily\nUnit=nightly.service\n",
    "/etc/systemd/system/nightly.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/test ! -e /run/broken\n",
    "/etc/systemd/system/worker.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n",
}


class Machine:
    """A host whose health is asked for, and the messages that it sends."""

    def __init__(self, host: Host, hook: Receiver) -> None:
        self.host = host
        self.hook = hook

    def health(self) -> tuple[int, dict[str, Any]]:
        done = self.host.run("opsctl", "health", "run", "--json", check=False)
        return done.returncode, json.loads(done.stdout)

    def wrong(self) -> list[str]:
        return [result["id"] for result in self.health()[1]["results"] if result["outcome"] != "passed"]

    def recoveries(self) -> list[tuple[str, str, str]]:
        """The recoveries in the ledger: unit, what was done, outcome."""
        listed = json.loads(self.host.run("opsctl", "ledger", "list", "--kind", "recovery", "--json").stdout)
        records = [
            json.loads(self.host.run("opsctl", "ledger", "show", str(row["seq"]), "--json").stdout)["record"]
            for row in listed["entries"]
        ]
        return [(record["body"]["unit"], record["body"]["action"], record["outcome"]) for record in records]

    def titles(self) -> list[str]:
        return [str(request.json()["title"]) for request in self.hook.requests]

    def forget(self) -> None:
        """Begin with an empty ledger, and nobody told of anything."""
        self.host.shell("rm -rf /var/lib/opsctl/* /run/opsctl; systemctl reset-failed")
        self.hook.requests.clear()


@pytest.fixture(scope="module")
def booted(hosts: Callable[..., Host]) -> Iterator[Machine]:
    host = hosts()
    host.run("rm", "/etc/nginx/sites-enabled/default")
    with receiver(address=host.gateway) as hook:
        for path, content in FILES.items():
            host.write(path, content)
        host.write("/etc/opsctl/hook.url", hook.url("json"), mode=0o600)
        host.shell(
            "systemctl daemon-reload; systemctl enable -q nginx php8.2-fpm; nginx -t -q; systemctl restart nginx"
        )
        host.shell("systemctl start nightly.timer worker.service")
        yield Machine(host, hook)


@pytest.fixture
def machine(booted: Machine) -> Machine:
    booted.forget()
    return booted


def test_a_host_that_is_well_is_found_well(machine: Machine) -> None:
    code, answer = machine.health()
    assert (code, answer["could_not_run"], answer["failed"]) == (0, 0, 0), answer
    assert {"php.php8_2_fpm", "visit.blog", "unit.nginx_service", "timer.nightly_timer"} <= {
        result["id"] for result in answer["results"]
    }
    assert machine.titles() == []


def test_php_that_is_killed_is_restarted_within_one_run_and_somebody_hears_of_it(machine: Machine) -> None:
    machine.host.run("systemctl", "kill", "--signal=KILL", FPM)
    machine.host.run("systemctl", "stop", FPM)
    code, answer = machine.health()
    assert code == 0, answer
    [recovery] = answer["recoveries"]
    assert (recovery["check"], recovery["unit"], recovery["action"]) == ("visit.blog", FPM, "restarted")
    assert "answers 502" in recovery["before"]
    assert machine.recoveries() == [(FPM, "restarted", "passed")]
    assert machine.titles() == [f"acme: {FPM} had to be restarted"]


def test_what_a_restart_does_not_mend_is_given_up_after_as_many_as_allowed_and_a_person_called(
    machine: Machine,
) -> None:
    machine.host.write("/etc/systemd/system/worker.service", "[Service]\nExecStart=/usr/bin/false\n")
    machine.host.shell("systemctl daemon-reload; systemctl restart worker")
    try:
        codes = [machine.health()[0] for _ in range(3)]
    finally:
        machine.host.write("/etc/systemd/system/worker.service", FILES["/etc/systemd/system/worker.service"])
        machine.host.shell("systemctl daemon-reload; systemctl restart worker")
    assert codes == [4, 4, 4]
    assert machine.recoveries() == [
        ("worker.service", "restarted", "failed"),
        ("worker.service", "gave_up", "failed"),
    ]
    assert machine.titles() == [
        "acme: FAILED: worker.service runs",
        "acme: worker.service had to be restarted",
        "acme: restarting worker.service does not help",
    ]
    machine.health()
    assert machine.titles()[3:] == [
        "Over: acme: FAILED: worker.service runs",
        "Over: acme: restarting worker.service does not help",
    ]


def test_a_timer_that_is_stopped_or_whose_work_failed_is_found(machine: Machine) -> None:
    machine.host.run("systemctl", "stop", "nightly.timer")
    assert machine.wrong() == ["timer.nightly_timer"]
    machine.host.shell("systemctl start nightly.timer; touch /run/broken; systemctl start nightly.service || :")
    assert machine.wrong() == ["timer.nightly_timer"]
    machine.host.shell("rm /run/broken; systemctl start nightly.service")
    assert machine.wrong() == []


def test_during_maintenance_nothing_is_restarted_and_after_a_reboot_there_still_is(machine: Machine) -> None:
    until = iso(utcnow() + timedelta(hours=1))
    answer = json.loads(
        machine.host.run("opsctl", "maintenance", "on", "--reason", "disk", "--until", until, "--json").stdout
    )
    assert [visit["status"] for visit in answer["visits"]] == [503]
    machine.host.run("systemctl", "stop", FPM)
    code, answer = machine.health()
    assert (code, answer["recoveries"]) == (4, [])
    assert machine.titles() == []
    machine.host.reboot()
    page = machine.host.run("curl", "-si", "--resolve", "blog.example:80:127.0.0.1", "http://blog.example/").stdout
    assert page.startswith("HTTP/1.1 503")
    assert "Retry-After:" in page
    machine.host.run("opsctl", "maintenance", "off")
    machine.host.shell("systemctl start nightly.timer worker.service")
    assert machine.wrong() == []


def test_the_scheduled_look_does_all_that_from_inside_its_unit(machine: Machine) -> None:
    """The unit is shut in, and may still restart others, leave metrics, and reach people."""
    machine.host.run("opsctl", "schedule", "install")
    try:
        machine.host.shell(f"systemctl stop {FPM}; systemctl start opsctl-health.service")
    finally:
        machine.host.shell("systemctl disable -q --now opsctl-health.timer; rm /etc/systemd/system/opsctl-*")
    assert machine.host.run("systemctl", "is-active", FPM).stdout == "active\n"
    assert machine.recoveries() == [(FPM, "restarted", "passed")]
    assert machine.titles() == [f"acme: {FPM} had to be restarted"]
    assert "opsctl_health_check_passed" in machine.host.read("/var/lib/metrics/opsctl_health.prom")
    assert 'opsctl_job_passed{stack="acme",job="health"} 1' in machine.host.read("/var/lib/metrics/opsctl_jobs.prom")
    assert json.loads(machine.host.read("/run/opsctl/health.json"))["outcome"] == "passed"
