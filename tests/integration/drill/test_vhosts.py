"""Check 7 passes on the restored vhosts and fails on each way in which nginx would not serve them."""

from collections.abc import Callable

import pytest

from opsctl.core.result import Outcome
from restore_drill.checks.vhosts import Vhosts
from tests.support.restored import Fixture

BLOG = "/etc/nginx/sites-available/blog.example"
STATIC = "/etc/nginx/sites-available/static.example"


def add(line: str) -> Callable[[str], str]:
    return lambda text: text.replace("server_name blog.example", f"{line}\n\tserver_name blog.example", 1)


def test_all_names_are_found_and_nginx_accepts_the_tree(demo: Fixture) -> None:
    result = Vhosts().run(demo.restored)
    assert result.outcome is Outcome.PASSED, result.found
    assert result.figures["found"] == 5


@pytest.mark.parametrize(
    "line",
    [
        "listen 443 ssl;",
        "listen 203.0.113.7:80;",
        "listen 127.0.0.2:8080;",
        "access_log /var/log/nginx/blog/access.log; error_log /var/log/nginx/blog/error.log warn;",
        "location /api { proxy_pass http://backend.internal:8080; }",
        "location /old { proxy_pass https://203.0.113.9; }",
        "resolver 127.0.0.53; location /v { proxy_pass http://$host; }",
    ],
)
def test_what_the_sandbox_lacks_is_not_held_against_the_configuration(demo: Fixture, line: str) -> None:
    certificate = "include snippets/tls-blog.conf;" if "443" in line else ""
    with demo.changed(BLOG, add(f"{line} {certificate}")):
        result = Vhosts().run(demo.restored)
    assert result.outcome is Outcome.PASSED, result.found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda text: text.replace("www.blog.example", "www2.blog.example"), "server names are gone: www.blog.example"),
        (add("client_max_body_size many;"), '"client_max_body_size" directive invalid value'),
        (add("nonsense on;"), 'unknown directive "nonsense"'),
        (add("include snippets/gone.conf;"), "snippets/gone.conf"),
        (lambda text: text + "server {", "unexpected end of file"),
        (add("error_log /etc/nginx/logs/blog.log;"), "/etc/nginx/logs/blog.log"),
    ],
)
def test_a_broken_configuration_fails(demo: Fixture, change: Callable[[str], str], found: str) -> None:
    with demo.changed(BLOG, change):
        result = Vhosts().run(demo.restored)
    assert result.outcome is Outcome.FAILED
    assert found in result.found
    assert result.hint is not None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/etc/nginx/sites-enabled/crm.example", "1 server names are gone: crm.example"),
        (STATIC, "static.example"),
        ("/etc/letsencrypt/archive/blog.example/fullchain1.pem", "cannot load certificate"),
        ("/etc/letsencrypt/live/static.example/privkey.pem", "cannot load certificate key"),
        ("/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf"),
    ],
)
def test_a_missing_file_fails(demo: Fixture, path: str, found: str) -> None:
    with demo.without(path):
        result = Vhosts().run(demo.restored)
    assert result.outcome is Outcome.FAILED
    assert found in result.found


def test_a_key_that_the_keys_archive_lacks_is_the_keys_checks_to_report(demo: Fixture) -> None:
    path = "/etc/letsencrypt/archive/blog.example/privkey1.pem"
    key = demo.restored.paths.keys / path.lstrip("/")
    aside = demo.directory / "privkey1.pem"
    key.rename(aside)
    try:
        with demo.without(path):
            result = Vhosts().run(demo.restored)
    finally:
        aside.rename(key)
    assert result.outcome is Outcome.COULD_NOT_RUN


def test_a_stack_without_a_web_server_passes_and_says_so(demo: Fixture) -> None:
    manifest = demo.restored.manifest
    demo.restored.manifest = manifest.model_copy(update={"web_server": None})
    result = Vhosts().run(demo.restored)
    demo.restored.manifest = manifest
    assert (result.outcome, result.found) == (Outcome.PASSED, "the stack has no web server")
