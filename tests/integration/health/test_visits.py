"""Visits see what a visitor would: the site of that name, its certificate, its redirects, and how long it takes."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.clock import utcnow
from opsctl.core.result import Outcome, Result
from opsctl.core.runner import LocalRunner
from opsctl.health.settings import VisitSection
from opsctl.health.visit import visit_probe
from tests.support.certificates import Authority
from tests.support.nginx import Nginx, running_nginx

SITES = """
    server { listen PORT_web; server_name plain.example; location / { return 200 "plain"; }
             location /away { return 301 https://www.plain.example/; } location /loop { return 302 /loop; }
             location /odd { return 302 http://plain.example:x:1/; } location /script { return 302 javascript:x; }
             location /gone { return 410 "gone"; } }
    server { listen PORT_web; server_name other.example; return 200 "other"; }
    server { listen PORT_web; server_name up.example; return 301 https://up.example:NUMBER_tls/; }
    server { listen PORT_web; server_name busy.example; return 503; }
"""
SECURE = """
    server {{ listen PORT_tls ssl; server_name {name}; ssl_certificate {certificate}; ssl_certificate_key {key};
              location / {{ return 200 "{name}"; }} location /down {{ return 302 http://{name}/; }} }}
"""
NAMES = {"up.example": 90, "expired.example": -1, "soon.example": 5}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Nginx]:
    servers = SITES
    for name, days in NAMES.items():
        issued = authority.issue(name, days=days)
        servers += SECURE.format(name=name, certificate=issued.certificate, key=issued.key)
    wrong = authority.issue("someone.else")
    servers += SECURE.format(name="wrong.example", certificate=wrong.certificate, key=wrong.key)
    with running_nginx(tmp_path_factory.mktemp("nginx"), servers, "tls", "web") as nginx:
        yield nginx


@pytest.fixture
def visit(web: Nginx, authority: Authority) -> Callable[..., Result]:
    def look(url: str, *, maintenance: datetime | None = None, **settings: Any) -> Result:
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        port = web.ports["tls" if scheme == "https" else "web"]
        section = VisitSection.model_validate(
            {
                "name": "site",
                "url": f"{scheme}://{host}:{port}{slash}{path}",
                "address": "127.0.0.1",
                "ca_file": authority.file,
                **settings,
            }
        )
        return visit_probe(section, certificate_days=14, maintenance=maintenance).run(LocalRunner())

    return look


def test_a_site_is_asked_for_by_its_name_whatever_its_address(visit: Callable[..., Result]) -> None:
    assert visit("http://plain.example/", text="plain").outcome is Outcome.PASSED
    assert visit("http://other.example/", text="other").outcome is Outcome.PASSED
    found = visit("https://up.example/", text="up.example")
    assert found.outcome is Outcome.PASSED
    assert found.figures["status"] == 200


def test_another_status_or_a_missing_word_is_a_failure_that_says_so(visit: Callable[..., Result]) -> None:
    assert "answers 410" in visit("http://plain.example/gone").found
    assert visit("http://plain.example/gone", status=410).outcome is Outcome.PASSED
    missing = visit("http://plain.example/", text="Welcome")
    assert missing.outcome is Outcome.FAILED
    assert "without 'Welcome'" in missing.found


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("expired.example", "certificate has expired"),
        ("wrong.example", "Hostname mismatch"),
        ("soon.example", "ends in 5.0 days"),
    ],
)
def test_a_certificate_that_a_browser_refuses_or_that_ends_soon_is_a_failure(
    visit: Callable[..., Result], name: str, why: str
) -> None:
    found = visit(f"https://{name}/")
    assert found.outcome is Outcome.FAILED
    assert why in found.found


def test_an_authority_that_nobody_believes_is_a_failure(visit: Callable[..., Result]) -> None:
    found = visit("https://up.example/", ca_file=None)
    assert found.outcome is Outcome.FAILED
    assert "certificate is refused" in found.found


def test_redirects_are_followed_to_the_same_address_and_what_lies_there_is_judged(visit: Callable[..., Result]) -> None:
    assert visit("http://up.example/", text="up.example").outcome is Outcome.PASSED
    assert visit("http://up.example/", max_redirects=0).outcome is Outcome.FAILED


def test_a_redirect_from_https_to_http_and_a_loop_are_failures(visit: Callable[..., Result]) -> None:
    assert "leads from https to http://" in visit("https://up.example/down").found
    assert "more than 3 redirects" in visit("http://plain.example/loop", max_redirects=3).found


def test_a_site_that_has_to_redirect_is_judged_by_where_it_leads(visit: Callable[..., Result]) -> None:
    there = "https://www.plain.example/"
    assert visit("http://plain.example/away", redirects_to=there).outcome is Outcome.PASSED
    assert visit("http://plain.example/away", redirects_to="https://elsewhere/").outcome is Outcome.FAILED
    assert "answers 200" in visit("http://plain.example/", redirects_to=there).found


def test_503_is_right_during_maintenance_and_only_then(visit: Callable[..., Result]) -> None:
    assert visit("http://busy.example/").outcome is Outcome.FAILED
    until = utcnow() + timedelta(minutes=5)
    found = visit("http://busy.example/", maintenance=until)
    assert found.outcome is Outcome.PASSED
    assert f"{until:%Y-%m-%d %H:%M} UTC" in found.found
    assert visit("http://plain.example/gone", maintenance=until).outcome is Outcome.FAILED


def at(port: int, **settings: Any) -> Result:
    section = VisitSection(name="x", url=f"http://x.example:{port}/", address="127.0.0.1", **settings)
    return visit_probe(section, certificate_days=14, maintenance=None).run(LocalRunner())


def test_nobody_listening_is_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = at(port)
    assert found.outcome is Outcome.FAILED
    assert "Connection refused" in found.found


def test_a_site_that_hangs_is_a_failure_at_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = at(silent.getsockname()[1], timeout_s=0.5)
    assert found.outcome is Outcome.FAILED
    assert "no whole answer within 0.5 s" in found.found


@contextlib.contextmanager
def dripping() -> Iterator[int]:
    """A server that sends a header without end, a byte at a time, each well within any time between two bytes."""
    over = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not over.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


def test_a_site_that_drips_is_a_failure_at_its_deadline() -> None:
    with dripping() as port:
        found = at(port, timeout_s=0.5)
    assert found.outcome is Outcome.FAILED
    assert "no whole answer within 0.5 s" in found.found


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        found = at(listener.getsockname()[1])
        thread.join()
    assert found.outcome is Outcome.FAILED
    assert "no HTTP" in found.found


@pytest.mark.parametrize("path", ["odd", "script"])
def test_a_redirect_to_what_is_no_address_is_a_failure(visit: Callable[..., Result], path: str) -> None:
    found = visit(f"http://plain.example/{path}")
    assert found.outcome is Outcome.FAILED
    assert "no address" in found.found


def test_a_machine_without_a_way_out_says_nothing_about_the_site() -> None:
    section = VisitSection(name="x", url="http://x.example/", address="255.255.255.255", timeout_s=5)
    found = visit_probe(section, certificate_days=14, maintenance=None).run(LocalRunner())
    assert found.outcome is Outcome.COULD_NOT_RUN, found.found
