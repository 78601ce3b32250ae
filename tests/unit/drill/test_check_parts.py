"""The small parts of checks: addresses of databases, what nginx needs, key files, tallies, names."""

import hashlib
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from opsctl.core.errors import OpsError
from opsctl.core.result import Outcome
from restore_drill.checks import CHECKS
from restore_drill.checks.names import quoted
from restore_drill.checks.nginx_room import read_needs
from restore_drill.checks.page_keys import read_key_file
from restore_drill.checks.tally import Tally, one_line
from restore_drill.checks.wp_login import Address, parse_db_host
from tests.support.key_file import read_keys, write_keys


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", Address("localhost", 3306, "/run/mysqld/mysqld.sock")),
        ("", Address("localhost", 3306, "/run/mysqld/mysqld.sock")),
        ("localhost:/tmp/my.sock", Address("localhost", 3306, "/tmp/my.sock")),
        (":/tmp/my.sock", Address("localhost", 3306, "/tmp/my.sock")),
        ("127.0.0.1", Address("127.0.0.1", 3306, None)),
        ("127.0.0.1:3307", Address("127.0.0.1", 3307, None)),
        ("db.internal:3307", Address("db.internal", 3307, None)),
        ("[::1]:3308", Address("::1", 3308, None)),
        ("::1", Address("::1", 3306, None)),
    ],
)
def test_db_host_is_read_as_wordpress_reads_it(text: str, address: Address) -> None:
    assert parse_db_host(text) == address


def test_what_nginx_needs_is_found(tmp_path: Path) -> None:
    (tmp_path / "etc/nginx").mkdir(parents=True)
    (tmp_path / "etc/nginx/nginx.conf").write_text(
        """
        pid /run/nginx.pid;
        http {
          access_log /srv/logs/a.log combined;
          error_log syslog:server=127.0.0.1;
          proxy_cache_path /srv/cache/p keys_zone=z:1m;
          upstream u { server app.internal:8000; server unix:/run/u.sock; server 192.0.2.1; }
          server {
            listen 203.0.113.7:80; listen [2001:db8::7]:443; listen [::]:80; listen *:81; listen 82;
            listen 127.0.0.1:83;
            listen unix:/srv/sockets/web.sock;
            location / { proxy_pass http://backend:9000/x; }
            location /v { proxy_pass http://$host; access_log off; }
          }
        }
        """
    )
    needs = read_needs(tmp_path, [Path("/etc/nginx/nginx.conf")])
    assert {"/run", "/srv/logs", "/srv/cache", "/srv/sockets"} <= set(needs.directories)
    assert needs.names == ("app.internal", "backend")
    assert needs.addresses == ("203.0.113.7/32", "2001:db8::7/128")
    assert "127.0.0.1 backend\n" in needs.hosts()
    assert needs.capabilities == ("CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN")


def test_key_files_are_read_plain_and_encrypted(tmp_path: Path) -> None:
    lines = ["1;" + "ab" * 32, "7;" + "cd" * 16 + " # the old one", "# nothing", ""]
    plain, sealed, filekey = tmp_path / "plain", tmp_path / "sealed", tmp_path / "filekey"
    plain.write_text("\n".join(lines))
    filekey.write_text(secrets.token_hex(32) + "\n")
    write_keys(sealed, filekey, lines)
    expected = {1: bytes.fromhex("ab" * 32), 7: bytes.fromhex("cd" * 16)}
    assert read_key_file(plain, None) == expected
    assert read_key_file(sealed, filekey) == expected
    assert read_keys(sealed, filekey)[:2] == lines[:2]
    filekey.write_text("another\n")
    assert read_key_file(sealed, filekey) == {}
    assert read_key_file(sealed, None) == {}


def test_a_key_file_of_openssl_itself_is_read(tmp_path: Path) -> None:
    """`openssl enc -aes-256-cbc -md sha1`: EVP_BytesToKey with one round."""
    salt = b"saltsalt"
    first = hashlib.sha1(b"pw" + salt, usedforsecurity=False).digest()
    second = hashlib.sha1(first + b"pw" + salt, usedforsecurity=False).digest()
    third = hashlib.sha1(second + b"pw" + salt, usedforsecurity=False).digest()
    derived = first + second + third
    padder = padding.PKCS7(128).padder()
    text = padder.update(b"3;" + b"0f" * 32) + padder.finalize()
    encryptor = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[32:48])).encryptor()
    (tmp_path / "k").write_bytes(b"Salted__" + salt + encryptor.update(text) + encryptor.finalize())
    (tmp_path / "p").write_text("pw")
    assert read_key_file(tmp_path / "k", tmp_path / "p") == {3: bytes.fromhex("0f" * 32)}


class Named:
    id = "a"
    title = "A"


def test_a_problem_fails_and_what_could_not_be_looked_at_is_never_a_pass() -> None:
    tally = Tally("all is well", figures={"n": 1})
    assert tally.result(Named(), "well").outcome is Outcome.PASSED
    tally.unjudged.append("no server")
    unjudged = tally.result(Named(), "well")
    assert (unjudged.outcome, unjudged.found) == (Outcome.COULD_NOT_RUN, "no server")
    for number in range(7):
        tally.problem(f"bad {number}", hint=f"hint {number}")
    failed = tally.result(Named(), "well")
    assert (failed.outcome, failed.hint) == (Outcome.FAILED, "hint 0")
    assert failed.found == "bad 0; bad 1; bad 2; bad 3; bad 4; and 2 more"
    assert one_line(OpsError("a\n    b")) == "a b"


def test_names_are_quoted_for_statements_with_and_without_placeholders() -> None:
    assert quoted("a`b", "100%") == "`a``b`.`100%%`"
    assert quoted("100%", placeholders=False) == "`100%`"


def test_there_are_eight_checks_in_their_order() -> None:
    ids = [check.id for check in CHECKS]
    assert ids == ["decrypt", "manifest", "coherence", "keys", "wp_config", "uploads", "vhosts", "replay"]
