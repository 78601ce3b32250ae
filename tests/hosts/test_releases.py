"""Releases of applications on a booted host: visitors see the old one or the new one, and never anything else."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.canonical import sha256_hex
from opsctl.core.clock import new_id
from opsctl.core.errors import OpsError
from opsctl.core.runner_ssh import SshRunner
from opsctl.deploy.remote import HOME, Agent
from tests.hosts.applications import INVENTORY, SITES, Releaser
from tests.hosts.bases import services_base
from tests.hosts.host import Host
from tests.hosts.test_runner import account
from tests.hosts.visitor import Visitor, ask

# Asked in place, not while it is tried, it waits until somebody lets it go on.
WAITING = """<?php
if ($_SERVER['SERVER_ADDR'] == '{address}') {{
    touch('/srv/blog/tmp/asked');
    while (!file_exists('/srv/blog/tmp/go')) {{ usleep(50000); clearstatcache(); }}
}}
"""
# The same of a service, however it is asked.
WAITING_SERVICE = """
import pathlib, time
def app(environ, start):
    pathlib.Path("/srv/wsgi/tmp/asked").touch()
    while not pathlib.Path("/srv/wsgi/tmp/go").exists():
        time.sleep(0.05)
    start("200 OK", [])
    return [b"waited"]
"""
UPLOADS = "/srv/blog/shared/public/wp-content/uploads"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    made = Host.make(services_base(), "web1")
    try:
        made.boot()
        yield made
    finally:
        made.destroy()


@pytest.fixture(scope="module")
def operator(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Releaser:
    """With a host that is deployed, and a first release of each site."""
    made = Releaser.make(tmp_path_factory.mktemp("operator"))
    made.describe(host, INVENTORY)
    made.deploy("root")
    host.write("/srv/blog/shared/.env", "KEY=1\n", owner="blog:blog", mode=0o600)
    for site in SITES:
        made.release(site, made.application(site, "one"))
    return made


def live(host: Host, site: str) -> str:
    return Path(host.run("readlink", f"/srv/{site}/current").stdout.strip()).name


@pytest.mark.parametrize("site", SITES)
def test_visitors_see_no_error_while_a_release_takes_the_place_of_another(
    host: Host, operator: Releaser, site: str
) -> None:
    with Visitor(host, f"{site}.example") as visitor:
        operator.release(site, operator.application(site, "two"))
        visitor.wait_for_more()
    assert visitor.errors == []
    assert visitor.pages == ["one", "two"]
    assert operator.recorded() == "live"


@pytest.mark.parametrize("site", ["blog", "wsgi"])
def test_one_that_does_not_work_is_seen_by_no_visitor_and_lies_apart(host: Host, operator: Releaser, site: str) -> None:
    before, bad = live(host, site), operator.application(site, "bad", bad=True)
    with Visitor(host, f"{site}.example") as visitor:
        code, error = operator.opsctl("deploy", "release", operator.inventory, site, bad)
        visitor.wait_for_more()
    assert code == 1
    assert "health" in error["message"]
    assert "answered: 500; no visitor has seen it" in error["message"]
    assert (visitor.errors, len(visitor.pages), live(host, site)) == ([], 1, before)
    assert operator.recorded() == "failed"
    failed = operator.releases(site)[-1]
    assert (failed.state, failed.live, failed.said) == ("failed", False, error["message"].partition(": ")[2])
    assert host.run("ls", f"/srv/{site}/failed/{failed.name}").stdout
    assert f"/srv/{site}/failed/{failed.name}" in error["hint"]


def test_one_that_works_only_while_it_is_tried_is_taken_back(host: Host, operator: Releaser) -> None:
    before = live(host, "blog")
    late = {"public/health.php": "<?php if ($_SERVER['SERVER_ADDR'] != '127.0.0.2') http_response_code(500);"}
    with Visitor(host, "blog.example") as visitor:
        with pytest.raises(OpsError, match=r"does not work, and what was live still is: .* answered: 500"):
            operator.release("blog", operator.application("blog", "late", more=late))
        visitor.wait_for_more()
    assert live(host, "blog") == before
    assert visitor.errors == []
    assert visitor.seen[-1] == visitor.seen[0]


def test_a_service_that_does_not_start_is_never_live(host: Host, operator: Releaser) -> None:
    broken = operator.application("wsgi", "broken", more={"app.py": "import nothing_of_that_name"})
    with Visitor(host, "wsgi.example") as visitor:
        with pytest.raises(OpsError, match="no visitor has seen it"):
            operator.release("wsgi", broken, health_s=2)
        assert host.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "wsgi*").stdout == ""
        visitor.wait_for_more()
    assert (visitor.errors, len(visitor.pages)) == ([], 1)


def test_a_service_that_listens_by_itself_is_live_or_taken_back(host: Host, operator: Releaser) -> None:
    operator.release("alone", operator.application("alone", "one"))
    assert ask(host, "alone.example") == (200, "one")
    with pytest.raises(OpsError, match=r"https://alone\.example/health answered: 500 "):
        operator.release("alone", operator.application("alone", "two", bad=True))
    host.shell("until curl --silent --fail 127.0.0.1:8103; do sleep 0.1; done")
    assert ask(host, "alone.example") == (200, "one")


def test_rolling_back_leads_to_the_last_good_one_and_enough_are_kept(host: Host, operator: Releaser) -> None:
    three, four = [operator.release("brochure", operator.application("brochure", text)) for text in ("three", "four")]
    with pytest.raises(OpsError, match="answered: 404"):
        operator.release("brochure", operator.application("brochure", "bad", bad=True))
    with pytest.raises(OpsError, match=f"{four} is live, and is the last good one"):
        operator.rollback("brochure")
    code, document = operator.opsctl(
        "deploy", "rollback", operator.inventory, "brochure", "--to", three.rpartition("-")[2]
    )
    assert (code, document["released"]["release"], document["released"]["before"]) == (0, three, four)
    assert ask(host, "brochure.example") == (200, "three")
    five = operator.release("brochure", operator.application("brochure", "five"))
    assert operator.rollback("brochure") == three, "four was left, and nobody wants it back without its name"
    kept = {each.name: each.state for each in operator.releases("brochure") if each.state != "failed"}
    assert kept == {three: "good", four: "left", five: "left"}
    there = host.run("find", "/srv/brochure/releases", "-mindepth", "1", "-type", "d", "-name", "2*").stdout.split()
    assert {Path(each).name for each in there} == {three, four, five}
    with pytest.raises(OpsError, match=f"there is no release nothing; there are: {three}"):
        operator.rollback("brochure", "nothing")


def test_uploads_and_what_else_is_shared_outlive_releases_and_code_is_nobody_s(host: Host, operator: Releaser) -> None:
    writes = {
        "public/write.php": "<?php echo (int) @file_put_contents(__DIR__ . '/wp-content/uploads/photo', 'x'),"
        " (int) @file_put_contents(__DIR__ . '/index.php', 'x'), (int) is_readable(__DIR__ . '/../.env');",
        "public/wp-content/uploads/local": "what lies on the operator's machine stays there",
    }
    operator.release("blog", operator.application("blog", "writes", more=writes))
    assert ask(host, "blog.example", "/write.php") == (200, "101")
    operator.release("blog", operator.application("blog", "after"))
    assert ask(host, "blog.example", "/wp-content/uploads/photo") == (200, "x")
    assert host.run("find", UPLOADS, "-name", "local").stdout == ""
    host.run("ln", "-s", "/srv/brochure/current/public/index.html", f"{UPLOADS}/stolen.txt", user="blog")
    host.run("ln", "-s", f"{UPLOADS}/photo", f"{UPLOADS}/own.txt", user="blog")
    assert ask(host, "blog.example", "/wp-content/uploads/own.txt") == (200, "x")
    stolen = ask(host, "blog.example", "/wp-content/uploads/stolen.txt")
    assert stolen == ask(host, "blog.example", "/wp-content/uploads/none.txt"), "no site is read through another"
    assert stolen != ask(host, "brochure.example", "/index.html")
    rights = host.shell("cd /srv/blog/current/; find public -maxdepth 1 ! -type l -printf '%u:%g %m %y\n'")
    assert set(rights.splitlines()) == {"root:blog 750 d", "root:blog 640 f"}
    assert host.run("cat", "/srv/blog/current/public/index.php", user="asgi", check=False).returncode == 1


def test_what_is_shared_and_not_there_is_asked_for(host: Host, operator: Releaser) -> None:
    before = live(host, "blog")
    host.shell("mv /srv/blog/shared/.env /srv/blog/env")
    with pytest.raises(OpsError, match=r"nothing was changed: /srv/blog/shared/\.env is not there"):
        operator.release("blog", operator.application("blog", "without"))
    host.shell("mv /srv/blog/env /srv/blog/shared/.env")
    assert (live(host, "blog"), operator.recorded()) == (before, "refused")


def test_what_arrives_broken_or_leads_out_is_refused_and_nothing_of_it_stays(host: Host, operator: Releaser) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("evil"))
        link = tarfile.TarInfo("passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        tar.addfile(link)
    sent = data.getvalue()
    runner = SshRunner(account(host, user="ops"))
    before = host.shell("readlink /srv/brochure/current; ls /srv/brochure/releases /srv/brochure/failed")
    try:
        for said, facts in (
            ("nothing was changed: what arrived is not what was sent", {"sha256": "0" * 64}),
            ("nothing was changed: the archive has a link that leads out", {"sha256": sha256_hex(sent)}),
        ):
            identifier = new_id()
            told = {**operator.order("brochure").bundle(identifier), "facts": {**facts, "files": 2, "bytes": 0}}
            with pytest.raises(OpsError, match=said):
                Agent(runner, sudo=True).release(identifier, told, [sent])
    finally:
        runner.close()
    assert host.run("find", "/srv/brochure", HOME, "-name", "evil", "-o", "-name", "*.tar.gz").stdout == ""
    assert host.shell("readlink /srv/brochure/current; ls /srv/brochure/releases /srv/brochure/failed") == before


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.1"])
def test_one_that_is_killed_while_it_is_tried_or_in_place_is_taken_back_by_the_next(
    host: Host, operator: Releaser, address: str
) -> None:
    before = live(host, "blog")
    waiting = operator.application("blog", "waiting", more={"public/health.php": WAITING.format(address=address)})
    releasing = begin_to_wait(host, operator, "blog", waiting)
    assert (live(host, "blog") == before) == (address == "127.0.0.2")
    host.shell("systemctl kill --signal=KILL 'opsctl-deploy-*.service'")
    assert (releasing.wait(), operator.recorded()) == (1, "open")
    host.shell("touch /srv/blog/tmp/go")
    operator.release("brochure", operator.application("brochure", f"next-{address}"))
    assert live(host, "blog") == before, "also a release of another site takes it back"
    operator.release("blog", operator.application("blog", f"good-{address}"))
    assert ask(host, "blog.example") == (200, f"good-{address}")
    killed = operator.releases("blog")[-2]
    assert (killed.state, killed.said) == ("failed", "it was interrupted before it had proved that it works")
    assert host.run("find", "/srv/blog/releases", "-maxdepth", "1", "-name", ".*").stdout == ""
    assert live(host, "blog") == Path(host.run("readlink", "/srv/blog/next").stdout.strip()).name


def test_a_service_whose_trial_was_killed_does_not_go_on(host: Host, operator: Releaser) -> None:
    waiting = operator.application("wsgi", "waiting", more={"app.py": WAITING_SERVICE})
    releasing = begin_to_wait(host, operator, "wsgi", waiting)
    host.shell("systemctl kill --signal=KILL 'opsctl-deploy-*.service'; systemctl is-active wsgi@next.service")
    assert releasing.wait() == 1
    operator.release("wsgi", operator.application("wsgi", "four"))
    assert ask(host, "wsgi.example") == (200, "four")
    left = host.run("systemctl", "is-active", "wsgi@next.service", "wsgi@next.socket", check=False).stdout
    assert left == "inactive\ninactive\n"


def test_a_cut_connection_does_not_cut_a_release(host: Host, operator: Releaser) -> None:
    waiting = operator.application("blog", "cut", more={"public/health.php": WAITING.format(address="127.0.0.1")})
    releasing = begin_to_wait(host, operator, "blog", waiting)
    host.shell("for p in $(pgrep -f '[s]shd: ops@notty'); do kill -9 $p; done")
    assert (releasing.wait(), operator.recorded()) == (10, "open")
    host.shell("touch /srv/blog/tmp/go")
    host.shell("until ! systemctl list-units --plain 'opsctl-deploy-*' | grep -q running; do sleep 0.1; done")
    assert operator.releases("blog")[-1].live


def begin_to_wait(host: Host, operator: Releaser, site: str, waiting: Path) -> "subprocess.Popen[bytes]":
    """Begin a release whose check waits until there is a file `go`; it waits now."""
    host.shell(f"cd /srv/{site}/tmp; rm -f asked go")
    releasing = subprocess.Popen(
        operator.words("deploy", "release", operator.inventory, site, waiting), stdout=subprocess.DEVNULL
    )
    host.shell(f"until test -e /srv/{site}/tmp/asked; do sleep 0.05; done")
    return releasing


def test_only_one_changes_a_host_at_a_time(host: Host, operator: Releaser) -> None:
    host.shell(f"systemd-run --quiet --unit=holder flock {HOME}/lock sleep 600")
    host.shell(f"until ! flock --nonblock {HOME}/lock true; do sleep 0.05; done")
    before = host.run("ls", HOME).stdout
    try:
        locked = operator.application("brochure", "locked")
        code, error = operator.opsctl("deploy", "release", operator.inventory, "brochure", locked)
    finally:
        host.shell("systemctl stop holder")
    assert (code, host.run("ls", HOME).stdout) == (11, before)
    assert "somebody else changes this host" in error["message"]


def test_a_plan_sees_no_change_in_releases_and_all_are_there_after_a_reboot(host: Host, operator: Releaser) -> None:
    before = [live(host, site) for site in SITES]
    host.reboot()
    code, document = operator.opsctl("deploy", "plan", operator.inventory, "--exit-code")
    assert code == 0, document
    assert [live(host, site) for site in SITES] == before
    assert [ask(host, f"{site}.example")[0] for site in SITES] == [200, 200, 200, 200]


def test_another_command_of_a_service_runs_at_once_and_no_visitor_notices(host: Host, operator: Releaser) -> None:
    operator.inventory.write_text(operator.inventory.read_text().replace("--workers 2", "--workers 3"))
    with Visitor(host, "wsgi.example") as visitor:
        operator.deploy()
        visitor.wait_for_more()
    assert visitor.errors == []
    running = host.shell("tr '\\0' ' ' </proc/$(systemctl show --value --property=MainPID wsgi)/cmdline")
    assert "--workers 3" in running


def test_who_released_what_and_why_is_listed(host: Host, operator: Releaser) -> None:
    code, document = operator.opsctl("deploy", "releases", operator.inventory, "--site", "asgi")
    [site] = document["sites"]
    newest = site["releases"][-1]
    assert (code, newest["name"], newest["live"]) == (0, live(host, "asgi"), True)
    assert (newest["by"], newest["origin"], newest["why"]) == ("operator", "here", "a test")
