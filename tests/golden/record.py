"""Records a repository and a ledger of this version's format: `python -m tests.golden.record tests/golden/format-N`.

Run it once, as root, for the release that brings a new format. What a release has recorded is never recorded anew: it
stands for what customers have. The keys beside it open these recordings only, and are as public as the project is.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyrage

from tests.golden import customer
from tests.support.mariadb import Server, give_to_server, running_server

_SITE = {
    "index.php": "<?php require __DIR__ . '/wp-load.php';\n",
    "wp-load.php": "<?php define('ABSPATH', __DIR__ . '/');\nrequire ABSPATH . 'wp-config.php';\n",
    "wp-settings.php": "<?php\n",
    "wp-config.php": """\
<?php
define('DB_NAME', 'shop');
define('DB_USER', 'shop');
define('DB_PASSWORD', 'it\\'s golden "$0" \\\\');
define('DB_HOST', 'localhost');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $kind) {
    define($kind . '_KEY', 'golden key ' . $kind);
    define($kind . '_SALT', 'golden salt ' . $kind);
}
$table_prefix = 'g_';
require_once ABSPATH . 'wp-settings.php';
""",
    **{f"wp-content/uploads/2026/{number}.txt": f"upload {number}\n" for number in range(1, customer.UPLOADS + 1)},
}
_NGINX = """\
events {}
http {
    server {
        listen 80;
        server_name golden.example www.golden.example;
        root /srv/shop;
    }
}
"""
# Small recordings: the manual in the tables of HELP, and the sizes of undo logs, are nobody's data.
_SMALL = ("--innodb-undo-tablespaces=0", "--innodb-log-file-size=4M")
_SQL = (
    "TRUNCATE mysql.help_topic",
    "TRUNCATE mysql.help_keyword",
    "TRUNCATE mysql.help_relation",
    "TRUNCATE mysql.help_category",
    "CREATE DATABASE shop",
    "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(100) NOT NULL)",
    "CREATE TABLE shop.g_options (option_name VARCHAR(191) PRIMARY KEY, option_value TEXT NOT NULL)",
    "CREATE TABLE shop.g_posts (ID INT PRIMARY KEY, post_type VARCHAR(20), post_status VARCHAR(20))",
    "CREATE TABLE shop.g_postmeta (meta_id INT PRIMARY KEY, post_id INT, meta_key VARCHAR(255), meta_value TEXT)",
    f"INSERT INTO shop.g_options VALUES ('siteurl', '{customer.SITE_URL}')",
    "INSERT INTO shop.g_posts VALUES (1, 'attachment', 'inherit')",
    "INSERT INTO shop.g_postmeta VALUES (1, 1, '_wp_attached_file', '2026/1.txt')",
    r"""CREATE USER shop@localhost IDENTIFIED BY 'it\'s golden "$0" \\'""",
    "GRANT ALL ON shop.* TO shop@localhost",
    "CREATE DATABASE opsctl",
    "CREATE TABLE opsctl.heartbeat (id TINYINT NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL) ENGINE=InnoDB",
)
_BINLOG = (
    *("--server-id=7", "--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1", "--binlog-format=ROW"),
    "--expire-logs-days=14",
)


# What is recorded names no machine of ours: a host name and a directory of its own.
_APART = """
mount --make-rprivate /
mount -t tmpfs -o mode=711 tmpfs /srv
hostname golden
exec "$@"
"""


def record(target: Path, directory: Path) -> None:
    """Make the customer in `directory`, back it up, work on, ship, drill; keep repository and ledger in `target`."""
    host = _write_host(directory / "host")
    options = (*_SMALL, *_BINLOG, f"--log-bin={host}/var/log/mysql/bin", *_encryption(host))
    with running_server(options) as server:
        server.sql(*_SQL, *_orders(customer.ROWS_AT_BACKUP))
        sections = {**_stack(host, server), "backup": _recipients()}
        config = customer.settings(directory, directory / "repository", sections=sections)
        opsctl(config, "backup", "run")
        server.sql(*_orders(customer.ROWS_SHIPPED))
        opsctl(config, "binlog", "ship")
        opsctl(config, "drill", "run")
    shutil.copytree(directory / "repository", target / "repository")
    for name in ("ledger.sqlite", f"heads/{customer.STACK}-local.json"):
        (target / "state" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(directory / "state" / name, target / "state" / name)


def opsctl(config: Path, *words: str) -> None:
    """Run a command; raises when it does not succeed."""
    subprocess.run([sys.executable, "-m", "opsctl", *words, "--config", config], check=True)


def _orders(count: int) -> list[str]:
    return [f"INSERT INTO shop.orders (note) VALUES ('order {number}')" for number in range(count)]


def _write_host(root: Path) -> Path:
    files = {f"srv/shop/{name}": text for name, text in _SITE.items()}
    files |= {"etc/nginx/nginx.conf": _NGINX, "etc/mysql/encryption/keys": f"1;{os.urandom(32).hex()}\n"}
    files |= {"etc/mysql/my.cnf": "[mariadbd]\nplugin-load-add = file_key_management\n"}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "var/log/mysql").mkdir(parents=True)
    give_to_server(root / "etc/mysql")
    give_to_server(root / "var/log/mysql")
    (root / "etc/mysql/encryption/keys").chmod(0o400)
    return root


def _encryption(host: Path) -> tuple[str, ...]:
    return (
        *("--plugin-load-add=file_key_management", f"--file-key-management-filename={host}/etc/mysql/encryption/keys"),
        *("--innodb-encrypt-tables=ON", "--innodb-encrypt-log=ON", "--encrypt-binlog=ON"),
    )


def _stack(host: Path, server: Server) -> dict[str, Any]:
    config = "/srv/shop/wp-config.php"
    site = {"name": "shop", "kind": "wordpress", "paths": ["/srv/shop"], "secret_files": [config], "config": config}
    return {
        "stack": {"name": customer.STACK, "root": host},
        "database": {"socket": server.socket, "backup_user": "root", "ship_user": "root"},
        "sites": [{**site, "http_host": "golden.example", "uploads": "/srv/shop/wp-content/uploads"}],
        "nginx": {"config": "/etc/nginx/nginx.conf", "paths": ["/etc/nginx"]},
    }


def _recipients() -> dict[str, Any]:
    found = {}
    for name, file in (("recipients", "identity.txt"), ("keys_recipients", "keys-identity.txt")):
        secret = (customer.KEYS / file).read_text().splitlines()[-1]
        found[name] = [str(pyrage.x25519.Identity.from_str(secret).to_public())]
    return found


if __name__ == "__main__":
    if len(sys.argv) == 2:
        again = [sys.executable, "-m", "tests.golden.record", sys.argv[1], "/srv"]
        sys.exit(subprocess.call(["unshare", "--mount", "--uts", "sh", "-euc", _APART, "sh", *again]))
    record(Path(sys.argv[1]), Path(sys.argv[2]))
