"""Reading nginx's configuration from files, where nginx need not be installed."""

from pathlib import Path

import pytest

from opsctl.core.errors import OpsError
from opsctl.stack.nginx import NginxConfig, read_nginx


def conf(root: Path, files: dict[str, str]) -> NginxConfig:
    for name, text in files.items():
        place = root / "etc/nginx" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return read_nginx(root, Path("/etc/nginx/nginx.conf"))


def http(inside: str) -> dict[str, str]:
    return {"nginx.conf": f"events {{}}\nhttp {{\n{inside}\n}}\n"}


def test_server_names_of_every_form_are_found_in_order_and_once(tmp_path: Path) -> None:
    text = r"""
      server { server_name b.example a.example; }
      server { server_name
          *.wild.example
          .dot.example   # a comment
          "~^(?<user>[a-z]{2,}\.)?regex\.example$"
          a.example
          mail.*
          _ "" ; }
    """
    assert conf(tmp_path, http(text)).server_names == (
        "b.example",
        "a.example",
        "*.wild.example",
        ".dot.example",
        r"~^(?<user>[a-z]{2,}\.)?regex\.example$",
        "mail.*",
        "_",
    )


def test_includes_are_followed_in_their_place_sorted_and_through_links_seen_from_the_root(tmp_path: Path) -> None:
    enabled = tmp_path / "etc/nginx/sites-enabled"
    enabled.mkdir(parents=True)
    (enabled / "20-second").symlink_to("/etc/nginx/sites-available/second")
    (enabled / "10-first").symlink_to("../sites-available/first")
    files = {
        **http("include /etc/nginx/sites-enabled/*; include conf.d/one.conf; include conf.d/none*.conf;"),
        "sites-available/first": "server { server_name first; include snippets/tls.conf; }",
        "sites-available/second": "server { server_name second; }",
        "sites-available/third": "server { server_name not-enabled; }",
        "conf.d/one.conf": "server { server_name third; }",
        "snippets/tls.conf": "ssl_certificate /etc/ssl/a.pem; ssl_certificate_key /etc/ssl/a.key;",
    }
    found = conf(tmp_path, files)
    assert found.server_names == ("first", "second", "third")
    assert [str(file.relative_to("/etc/nginx")) for file in found.files] == [
        "nginx.conf",
        "sites-enabled/10-first",
        "snippets/tls.conf",
        "sites-enabled/20-second",
        "conf.d/one.conf",
    ]
    assert found.certificates == (Path("/etc/ssl/a.pem"),)
    assert found.private_keys == (Path("/etc/ssl/a.key"),)


def test_certificates_and_keys_of_all_modules_are_found_and_what_is_no_file_is_not(tmp_path: Path) -> None:
    text = """
      ssl_certificate live/c.pem; ssl_certificate_key live/k.pem; ssl_dhparam /etc/dh.pem;
      ssl_client_certificate /etc/clients.pem; ssl_password_file /etc/pass; ssl_session_ticket_key /etc/ticket;
      server {
        location / { proxy_ssl_certificate /p.pem; proxy_ssl_certificate_key /p.key; }
        location /a { grpc_ssl_certificate_key engine:pkcs11:x; uwsgi_ssl_certificate_key /u.key; }
        location /b { ssl_certificate $ssl_server_name.crt; ssl_certificate_key data:$key; }
      }
    """
    found = conf(tmp_path, http(text))
    assert [str(path) for path in found.certificates] == [
        "/etc/nginx/live/c.pem",
        "/etc/dh.pem",
        "/etc/clients.pem",
        "/p.pem",
    ]
    assert [str(path) for path in found.private_keys] == [
        "/etc/nginx/live/k.pem",
        "/etc/pass",
        "/etc/ticket",
        "/p.key",
        "/u.key",
    ]


def test_directives_of_modules_that_nobody_knows_are_no_obstacle(tmp_path: Path) -> None:
    modules = 'brotli on; sendfile on with more words; more_set_headers "X: y"; '
    text = modules + "server { server_name a; some_block_of_a_module { key value; } }"
    assert conf(tmp_path, http(text)).server_names == ("a",)


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="not terminated") as raised:
        conf(tmp_path, {"nginx.conf": "http {\n server {\n server_name a\n } }\n"})
    assert raised.value.where == "/etc/nginx/nginx.conf, line 3"


def test_a_file_that_is_included_by_name_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="No such file") as raised:
        conf(tmp_path, http("include snippets/gone.conf;"))
    assert raised.value.where == "/etc/nginx/snippets/gone.conf"


def test_a_configuration_that_includes_itself_is_an_error_and_ends(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="includes itself"):
        conf(tmp_path, http("include nginx.conf;"))


def test_password_files_are_secrets_when_they_are_there(tmp_path: Path) -> None:
    (tmp_path / "etc/nginx").mkdir(parents=True)
    (tmp_path / "etc/nginx/.htpasswd").write_text("admin:$apr1$x\n")
    text = "server { auth_basic_user_file .htpasswd; location /old { auth_basic_user_file /srv/gone; } }"
    found = conf(tmp_path, http(text))
    assert found.password_files == (Path("/etc/nginx/.htpasswd"),)
    assert found.secrets == found.password_files
