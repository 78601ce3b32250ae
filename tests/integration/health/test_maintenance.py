"""`opsctl maintenance` with a real nginx: visitors see it, those let through do not, and it ends by itself."""

import http.client
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.clock import iso, utcnow
from tests.integration.health.conftest import Program
from tests.support.nginx import Nginx, running_nginx

SERVERS = """
    include STATE/http*.conf;
    server { listen PORT_web; server_name blog.example; include STATE/server*.conf;
             error_page 404 /404.html; location = /404.html { return 200 "not here"; }
             location /busy { return 503; } location / { return 200 "blog"; } }
    server { listen PORT_web; server_name shop.example; include STATE/server*.conf; location / { return 200 "shop"; } }
    server { listen PORT_web; server_name www.blog.example; return 301 http://blog.example; }
    server { listen PORT_web; server_name old.example; location / { return 301 http://blog.example; }
             location /.well-known/acme-challenge/ { root /nowhere; } }
"""
VISITS = """
[[visits]]
name = "{name}"
url = "http://{name}.example:{port}/"
address = "127.0.0.1"
"""
LATER = timedelta(hours=1)


def ask(nginx: Nginx, host: str, path: str = "/") -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", nginx.ports["web"], timeout=60)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.msg, answer.read().decode()
    finally:
        connection.close()


def settings(program: Program, nginx: Nginx, *more: str) -> None:
    """With `more`, the machine's nginx is this one."""
    program.settings(*(VISITS.format(name=name, port=nginx.ports["web"]) for name in ("blog", "shop")), *more)
    path = program.directory / "opsctl.toml"
    path.write_text(path.read_text().replace("enabled = false", f'config = "{nginx.config}"'))


@pytest.fixture
def nginx(program: Program) -> Iterator[Nginx]:
    state = program.directory / "state/maintenance"
    with running_nginx(program.directory / "n", SERVERS.replace("STATE", str(state)), "web") as made:
        assert ask(made, "blog.example")[0] == 200
        settings(program, made)
        yield made


def on(program: Program, *words: str, until: datetime | None = None) -> tuple[int, dict[str, Any]]:
    end = until or utcnow() + LATER
    return program.json("maintenance", "on", "--reason", "new disk", "--until", iso(end), *words)


def test_visitors_of_every_site_get_503_a_page_and_a_time_to_come_back(program: Program, nginx: Nginx) -> None:
    until = (utcnow() + LATER).replace(microsecond=0)
    code, answer = on(program, until=until)
    assert (code, answer["problem"]) == (0, None)
    assert [(visit["name"], visit["status"]) for visit in answer["visits"]] == [("blog", 503), ("shop", 503)]
    assert ask(nginx, "blog.example")[0] == 503
    status, headers, body = ask(nginx, "blog.example", "/some/page?x=1")
    assert status == 503
    assert parsedate_to_datetime(str(headers["Retry-After"])) == until
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("text/html; charset=utf-8", "no-store")
    assert "We are working on this site" in body
    assert "new disk" not in body
    code, answer = program.json("maintenance", "off")
    assert (code, [visit["status"] for visit in answer["visits"]]) == (0, [200, 200])
    actions = [(record["body"]["action"], record["body"]["reason"]) for record in program.records("maintenance")]
    assert actions == [("on", "new disk"), ("off", "new disk")]


def test_those_let_through_and_renewals_of_certificates_do_not_see_it(program: Program, nginx: Nginx) -> None:
    code, answer = on(program, "--allow", "127.0.0.1", "--allow", "2001:db8::/32")
    assert code == 0
    assert answer["maintenance"]["allow"] == ["127.0.0.1/32", "2001:db8::/32"]
    assert ask(nginx, "blog.example")[0] == 200
    assert ask(nginx, "blog.example")[::2] == (200, "blog")
    on(program, "--allow", "198.51.100.0/24")
    assert ask(nginx, "blog.example")[0] == 503
    assert ask(nginx, "blog.example", "/.well-known/acme-challenge/token")[0] == 200


def test_it_ends_by_itself_when_its_time_has_come(program: Program, nginx: Nginx) -> None:
    until = datetime.fromtimestamp(int(utcnow().timestamp()) + 6, UTC)
    on(program, until=until)
    assert ask(nginx, "blog.example")[0] == 503
    seen: list[tuple[int, datetime]] = []
    while not seen or seen[-1][0] == 503:
        status = ask(nginx, "blog.example")[0]
        seen.append((status, utcnow()))
    assert seen[-1][0] == 200
    assert seen[-1][1] >= until
    assert program.json("maintenance", "status")[1]["maintenance"] is None


def test_a_503_of_the_site_itself_is_not_taken_for_maintenance(program: Program, nginx: Nginx) -> None:
    on(program)
    assert ask(nginx, "blog.example")[0] == 503
    on(program, "--allow", "127.0.0.1")
    assert ask(nginx, "blog.example")[0] == 200
    status, headers, body = ask(nginx, "blog.example", "/busy")
    assert status == 503
    assert headers["Retry-After"] is None
    assert "We are working" not in body


def test_health_takes_503_for_right_restarts_nothing_and_tells_nobody(program: Program, nginx: Nginx) -> None:
    on(program)
    code, answer = program.json("health", "run")
    assert code == 0
    assert "new disk" in answer["hands_off"]
    [record] = program.records("health")
    assert record["body"]["maintenance_until"] == answer["maintenance_until"]
    program.run("maintenance", "off")
    _, answer = program.json("health", "run")
    assert answer["hands_off"] is None


def test_a_page_of_ones_own_is_shown(program: Program, nginx: Nginx) -> None:
    page = program.directory / "page.html"
    page.write_text('<p class="x">Back soon: 5 $ "off" \\ } ;</p>')
    settings(program, nginx, f'[maintenance]\npage = "{page}"\n')
    on(program)
    assert ask(nginx, "shop.example")[0] == 503
    assert ask(nginx, "shop.example")[2] == '<p class="x">Back soon: 5 &#36; "off" \\ } ;</p>'


def test_nginx_without_the_includes_is_refused_with_the_lines_and_nothing_changes(program: Program) -> None:
    servers = SERVERS.replace("include STATE/http*.conf;", "").replace("include STATE/server*.conf;", "")
    with running_nginx(program.directory / "n", servers, "web") as nginx:
        assert ask(nginx, "blog.example")[0] == 200
        settings(program, nginx)
        code, answer = on(program)
        assert code == 2
        state = program.directory / "state/maintenance"
        assert f"include {state}/http*.conf;" in answer["message"]
        assert answer["message"].count(f"include {state}/server*.conf;") == 2
        assert "www.blog.example" not in answer["message"]
        assert "old.example" not in answer["message"]
        assert not (program.directory / "state").exists()
        assert len(program.json("maintenance", "status")[1]["missing"]) == 3


def test_what_nginx_refuses_is_taken_back(program: Program, nginx: Nginx) -> None:
    config = nginx.config.read_text()
    nginx.config.write_text(config.replace("default_type text/plain;", "default_type text/plain; no_such_word;"))
    code, answer = on(program)
    assert code == 1
    assert "no_such_word" in answer["message"]
    assert list((program.directory / "state/maintenance").iterdir()) == []
    assert program.json("maintenance", "status")[1]["maintenance"] is None


def test_what_nginx_does_not_take_up_is_told(program: Program, nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opsctl.health.nginx.TAKEN_UP_S", 4.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:  # `nginx -t` says nothing of it
        address = f"listen 127.0.0.1:{taken.getsockname()[1]}; server_name taken; return 444;"
        config = nginx.config.read_text()
        nginx.config.write_text(config.replace("default_type text/plain;", f"server {{ {address} }}"))
        code, answer = on(program)
    assert code == 3
    assert "answer as before" in answer["problem"]
    assert ask(nginx, "blog.example")[0] == 200


def test_an_nginx_that_does_not_run_takes_it_up_when_it_starts(program: Program) -> None:
    state = program.directory / "state/maintenance"
    servers = SERVERS.replace("STATE", str(state))
    with running_nginx(program.directory / "n", servers, "web") as nginx:
        settings(program, nginx)
        ask(nginx, "blog.example")
    code, answer = on(program)
    assert code == 3
    assert answer["problem"] is not None
    with running_nginx(program.directory / "n", servers, "web") as nginx:
        assert ask(nginx, "blog.example")[0] == 503


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--until", "2020-01-01T00:00:00Z"), "is over"),
        (("--until", "2099-01-01T00:00:00"), "names no time zone"),
        (("--until", "2099-01-01T00:00:00Z", "--allow", "office"), "no address"),
    ],
)
def test_what_cannot_be_meant_is_refused(program: Program, nginx: Nginx, words: tuple[str, ...], why: str) -> None:
    done = program.run("maintenance", "on", "--reason", "x", *words)
    assert done.returncode == 2
    assert why in done.stderr
    assert not (program.directory / "state").exists()


def test_where_nothing_can_be_read_off_makes_it_good(program: Program, nginx: Nginx) -> None:
    on(program)
    state: Path = program.directory / "state/maintenance/state.json"
    state.write_text("{")
    assert program.run("health", "run").returncode == 1
    assert program.run("maintenance", "off").returncode == 0
    assert ask(nginx, "blog.example")[0] == 200
    assert program.run("health", "run").returncode == 0
