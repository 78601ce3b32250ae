"""What visitors meet: headers on every answer, TLS, the edge before the host, paths for some only, maintenance."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.hosts.host import Host
from tests.hosts.operators import Operator
from tests.hosts.visitors import Visitor

# This machine takes them: of a range for measuring, in which no network it is in can lie (RFC 2544).
EDGE, PAST_THE_EDGE = "198.18.7.10", "198.18.7.200"
EDGE_6, OUTSIDER_6 = "2001:db8:e::10", "2001:db8:77::9"
OFFICE, OUTSIDER = "203.0.113.7", "198.51.100.9"
SITES = f"""
[time]
servers = ["ntp.acme.example"]

[edge]
networks = ["198.18.7.0/28", "2001:db8:e::/48"]
direct = ["{PAST_THE_EDGE}"]

[[sites]]
name = "brochure"
kind = "static"
host = "web1"
domains = ["www.acme.example"]

[[sites]]
name = "blog"
kind = "wordpress"
host = "web1"
domains = ["blog.acme.example"]
allow = [
    {{ path = "/wp-admin", networks = ["203.0.113.0/24"] }},
    {{ path = "/wp-admin/admin-ajax.php", networks = ["0.0.0.0/0", "::/0"] }},
]

[[sites]]
name = "shop-2"
kind = "codeigniter"
host = "web1"
domains = ["shop.acme.example"]
allow = [{{ path = "/admin", networks = ["203.0.113.7"] }}]
logins = ["/auth/login"]

[[sites]]
name = "api"
kind = "python"
host = "web1"
domains = ["api.acme.example"]
port = 8101
command = "/usr/bin/python3 /srv/api/current/app.py"
"""
SETTINGS = """
[stack]
name = "acme"
[trust]
signer = "host@acme"
"""
PHP = """<?php
foreach (['X-Frame-Options: DENY', 'Content-Security-Policy: x', 'Strict-Transport-Security: max-age=1'] as $own)
    header($own);
echo basename(__FILE__), ' for ', $_SERVER['REMOTE_ADDR'];
"""
APP = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if self.path == "/missing" else 200)
        for name in ("X-Frame-Options", "Content-Security-Policy", "Referrer-Policy", "Permissions-Policy"):
            self.send_header(name, "own")
        self.end_headers()
        self.wfile.write(self.headers["X-Forwarded-For"].encode())

HTTPServer(("127.0.0.1", 8101), Handler).serve_forever()
"""
FILES = {
    "/srv/brochure/releases/first/public/index.html": "hello",
    "/srv/brochure/releases/first/public/folder/index.html": "deeper",
    "/srv/blog/releases/first/public/index.php": PHP,
    "/srv/blog/releases/first/public/wp-login.php": PHP,
    "/srv/blog/releases/first/public/wp-admin/index.php": PHP,
    "/srv/blog/releases/first/public/wp-admin/admin-ajax.php": PHP,
    "/srv/blog/releases/first/public/wp-admin/style.css": "body {}",
    "/srv/shop-2/releases/first/public/index.php": PHP,
    "/srv/api/releases/first/app.py": APP,
    "/etc/opsctl/opsctl.toml": SETTINGS,
}
SECURITY = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=(), payment=()",
}


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    return hosts()


@pytest.fixture(scope="module")
def operator(running: Host, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    made = Operator.make(tmp_path_factory.mktemp("operator"))
    made.describe(running, SITES)
    return made


@pytest.fixture(scope="module")
def deployed(running: Host, operator: Operator) -> Host:
    operator.plan("--as", "root")
    operator.apply()
    for path, text in FILES.items():
        running.write(path, text)
    running.shell("systemctl start api; until ss -Hltn | grep -q :8101; do sleep 0.1; done")
    return running


@pytest.fixture(scope="module")
def edge(deployed: Host) -> Visitor:
    """The edge itself, which brings visitors."""
    return Visitor(deployed, EDGE)


@pytest.fixture(scope="module")
def monitor(deployed: Host) -> Visitor:
    """Somebody who may come in past the edge."""
    return Visitor(deployed, PAST_THE_EDGE)


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("www", "/", 200),
        ("www", "/missing", 404),
        ("www", "/folder", 301),
        ("www", "/.git/config", 404),
        ("www", "/.well-known/security.txt", 200),
        ("blog", "/", 200),
        ("blog", "/missing.php", 404),
        ("blog", "/wp-admin/", 403),
        ("shop", "/any/page", 200),
        ("api", "/", 200),
        ("api", "/missing", 404),
    ],
)
def test_every_answer_has_each_header_once_whatever_the_application_says(
    edge: Visitor, name: str, path: str, status: int
) -> None:
    heard = edge.get(f"{name}.acme.example", path)
    assert heard.status == status
    assert {header: heard.values(header) for header in SECURITY} == {key: [value] for key, value in SECURITY.items()}
    [policy] = heard.values("content-security-policy")
    assert policy.startswith("default-src 'self'")
    assert heard.values("x-powered-by") == []


def test_a_visitor_without_tls_is_sent_to_the_same_page_with_it(edge: Visitor) -> None:
    heard = edge.get("blog.acme.example", "/a/b?c=d", tls=False)
    assert (heard.status, heard.values("location")) == (301, ["https://blog.acme.example/a/b?c=d"])


def test_what_an_authority_asks_for_comes_through_the_edge(deployed: Host, edge: Visitor) -> None:
    deployed.write("/var/www/acme/.well-known/acme-challenge/token", "proof")
    assert edge.get("blog.acme.example", "/.well-known/acme-challenge/token", tls=False).body == "proof"


@pytest.mark.parametrize(
    ("version", "spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True), ("-tls1", False)]
)
def test_old_versions_of_tls_are_refused(deployed: Host, version: str, spoken: bool) -> None:
    """The client would speak them: its own level of security is none."""
    words = ("-connect", "127.0.0.1:443", "-servername", "www.acme.example", version, "-cipher", "ALL:@SECLEVEL=0")
    done = deployed.run("openssl", "s_client", *words, check=False)
    assert (done.returncode == 0) is spoken, done.stdout + done.stderr
    assert ("alert protocol version" in done.stderr) is not spoken


def test_a_name_that_is_not_here_is_not_spoken_to(edge: Visitor) -> None:
    with pytest.raises(ssl.SSLError, match="unrecognized name"):
        edge.get("other.example")


def test_nobody_but_the_edge_and_who_is_named_gets_a_connection(
    deployed: Host, edge: Visitor, monitor: Visitor
) -> None:
    other = Visitor(deployed, "198.18.7.100")
    with pytest.raises(TimeoutError):
        other.get("www.acme.example", timeout_s=1)
    assert edge.get("www.acme.example").body == "hello"
    assert monitor.get("www.acme.example").body == "hello"


def test_logs_applications_and_lists_see_the_visitor_whom_the_edge_brings(deployed: Host, edge: Visitor) -> None:
    through = f"10.9.8.7, {OFFICE}"
    assert edge.get("api.acme.example", "/", via=through).body == OFFICE
    assert edge.get("blog.acme.example", "/index.php", via=through).body == f"index.php for {OFFICE}"
    assert edge.get("blog.acme.example", "/wp-admin/", via=through).status == 200
    assert edge.get("blog.acme.example", "/wp-admin/", via=f"{OFFICE}, {OUTSIDER}").status == 403
    log = deployed.read("/var/log/nginx/blog.access.log").splitlines()
    assert [line.split()[0] for line in log[-2:]] == [OFFICE, OUTSIDER]


def test_who_is_not_the_edge_is_not_believed(monitor: Visitor) -> None:
    assert monitor.get("api.acme.example", "/", via=OFFICE).body == PAST_THE_EDGE
    assert monitor.get("blog.acme.example", "/wp-admin/", via=OFFICE).status == 403


def test_ipv6_is_the_same(deployed: Host) -> None:
    edge, other = Visitor(deployed, EDGE_6), Visitor(deployed, "2001:db8:f::10")
    with pytest.raises(TimeoutError):
        other.get("www.acme.example", timeout_s=1)
    assert edge.get("www.acme.example").body == "hello"
    assert edge.get("api.acme.example", via=f"10.9.8.7, {OFFICE}").body == OFFICE
    assert edge.get("api.acme.example", via=OUTSIDER_6).body == OUTSIDER_6
    assert edge.get("blog.acme.example", "/wp-admin/", via=OFFICE).status == 200
    assert edge.get("blog.acme.example", "/wp-admin/", via=OUTSIDER_6).status == 403
    assert deployed.read("/var/log/nginx/blog.access.log").splitlines()[-1].startswith(f"{OUTSIDER_6} ")


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("blog", "/wp-admin", 403),
        ("blog", "/wp-admin/style.css", 403),
        ("blog", "/x/..//wp-admin/./index.php", 403),
        ("blog", "/%77p-admin/index.php?page=1", 403),
        ("blog", "/wp-admin/admin-ajax.php", 200),
        ("blog", "/wp-administrators", 200),
        ("shop", "/admin/users", 403),
        ("shop", "/index.php/admin/users", 403),
        ("shop", "/?/admin/users", 403),
        ("shop", "/index.php?%2Fadmin", 403),
        ("shop", "/administration?a=/admin", 200),
    ],
)
def test_a_path_for_some_is_closed_to_others_however_it_is_written(
    edge: Visitor, name: str, path: str, status: int
) -> None:
    assert edge.get(f"{name}.acme.example", path, via=OUTSIDER).status == status
    if "?/" not in path and "?%2F" not in path:
        assert edge.get(f"{name}.acme.example", path, via=OFFICE).status in (200, 301)


@pytest.mark.parametrize(("name", "path"), [("blog", "/wp-login.php"), ("shop", "/auth/login")])
def test_logins_are_limited_for_each_visitor_and_not_for_the_edge(edge: Visitor, name: str, path: str) -> None:
    site = f"{name}.acme.example"
    tries = [edge.get(site, path, via="198.51.100.66") for _ in range(13)]
    assert {each.status for each in tries[:11]} == {200}
    assert 429 in {each.status for each in tries[11:]}
    limited = next(each for each in tries if each.status == 429)
    assert limited.values("x-frame-options") == ["SAMEORIGIN"]
    assert edge.get(site, path, via="198.51.100.67").status == 200
    assert edge.get(site, "/", via="198.51.100.66").status == 200


def test_maintenance_is_what_every_site_answers_but_to_whom_it_lets_through(deployed: Host, edge: Visitor) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    words = ("--reason", "bigger disk", "--until", f"{until:%Y-%m-%dT%H:%M:%SZ}", "--allow", OFFICE)
    deployed.run("opsctl", "maintenance", "on", *words)
    for name in ("www", "blog", "shop", "api"):
        heard = edge.get(f"{name}.acme.example", via=OUTSIDER)
        assert heard.status == 503
        assert len(heard.values("retry-after")) == 1
        assert {header: heard.values(header) for header in SECURITY} == {key: [own] for key, own in SECURITY.items()}
        assert len(heard.values("content-security-policy")) == 1
        assert "We are working on this site" in heard.body
        assert edge.get(f"{name}.acme.example", via=OFFICE).status == 200
    deployed.run("opsctl", "maintenance", "off")
    assert edge.get("www.acme.example", via=OUTSIDER).status == 200


def test_a_unit_that_systemd_would_not_start_is_never_in_place(deployed: Host, operator: Operator) -> None:
    right = operator.inventory.read_text()
    before = deployed.read("/etc/systemd/system/api.service")
    operator.inventory.write_text(right.replace('"/usr/bin/python3 /srv/api/current/app.py"', '"bin/serve --all"'))
    operator.plan()
    code, error = operator.opsctl("deploy", "apply", operator.directory / "web1.plan.json")
    operator.inventory.write_text(right)
    assert code == 1
    assert "the check 'systemd' refuses what would be in place" in error["message"]
    assert "Neither a valid executable name nor an absolute path: bin/serve" in error["message"]
    assert deployed.read("/etc/systemd/system/api.service") == before
    assert operator.plan() == []


def test_the_clock_is_set_by_the_servers_that_are_named(deployed: Host) -> None:
    """A host of these tests may not set its clock, which systemd knows: that it does not run is no difference."""
    shown = deployed.run("systemctl", "show", "systemd-timesyncd", "--property=UnitFileState,ConditionResult").stdout
    assert set(shown.split()) == {"UnitFileState=enabled", "ConditionResult=no"}
    assert "NTP=ntp.acme.example" in deployed.run("systemd-analyze", "cat-config", "systemd/timesyncd.conf").stdout


def test_an_edge_that_is_known_takes_the_place_of_another(
    deployed: Host, operator: Operator, edge: Visitor, monitor: Visitor
) -> None:
    networks = 'networks = ["198.18.7.0/28", "2001:db8:e::/48"]'
    operator.inventory.write_text(operator.inventory.read_text().replace(networks, 'provider = "cloudflare"'))
    operator.plan()
    operator.apply()
    assert monitor.get("www.acme.example").body == "hello"
    with pytest.raises(TimeoutError):
        edge.get("www.acme.example", timeout_s=1)
    assert "CF-Connecting-IP" in deployed.run("nginx", "-T").stdout
    assert operator.plan() == []
