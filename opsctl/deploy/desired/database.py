"""The database of a host: keys that it encrypts with, and an account and a database for each site.

Keys are made on the host and leave it only in the keys archive of its backups. Accounts log in through the socket, as
the Linux account of their name: there is no password to lose.
"""

import zlib
from collections.abc import Iterator

from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.resources import Directory, Resource, Script

KEYS = "/etc/mysql/encryption"
KEY_FILES = (f"{KEYS}/keys.enc", f"{KEYS}/filekey")


def encryption() -> Iterator[Resource]:
    """A key file as MariaDB's file_key_management reads it: `openssl enc -aes-256-cbc -md sha1` under a key of its own.

    The keys stay when a deployment is taken back: what they have encrypted can be read with nothing else.
    """
    yield Directory(path=KEYS, owner="mysql", group="mysql", mode="0700", early=True)
    make = (
        f"umask 077; cd {KEYS}; openssl rand -hex 128 >filekey; "
        "{ printf '1;'; openssl rand -hex 32; } | "
        "openssl enc -aes-256-cbc -md sha1 -pass file:filekey -out keys.enc 2>/dev/null; "
        "chown mysql:mysql filekey keys.enc"
    )
    yield Script(
        name="database keys",
        look=f"test -s {KEYS}/keys.enc && echo there || :",
        wanted="there",
        do=make,
        undo="true",
        keep=True,
        early=True,
        shown="make the keys that the database is encrypted with",
    )


def accounts(subject: Subject) -> Iterator[Resource]:
    """A database and an account for each site that has a use for them."""
    for site in subject.sites:
        if site.kind != "static":
            yield from _of_site(site.name)


def facts(subject: Subject) -> dict[str, int]:
    """What templates of the database may name."""
    return {"server_id": server_id(subject.inventory, subject.host)}


def server_id(inventory: Inventory, host: HostSection) -> int:
    """MariaDB's id of a host, the same at every rendering: 1 to 2^31."""
    return 1 + (zlib.crc32(f"{inventory.stack.name}/{host.name}".encode()) >> 1)


def _of_site(name: str) -> Iterator[Resource]:
    """A site's database, and the account that may do everything in it and nothing elsewhere."""
    statements = (
        f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4; "
        f"CREATE USER IF NOT EXISTS `{name}`@localhost IDENTIFIED VIA unix_socket; "
        f"GRANT ALL ON `{name}`.* TO `{name}`@localhost"
    )
    account = f"d.User = '{name}' AND d.Db = '{name}' AND u.plugin = 'unix_socket'"
    count = "SELECT IF(COUNT(*) = 1, 'there', 'absent') FROM mysql.db d JOIN mysql.user u ON u.User = d.User"
    look = f"{count} WHERE {account}"
    yield Script(
        name=f"database of {name}",
        look=f'mariadb -NBe "{look}" 2>/dev/null || echo absent',
        wanted="there",
        do=f"mariadb -e '{statements}'",
        undo=f"mariadb -e 'DROP USER IF EXISTS `{name}`@localhost'",
        shown=f"create the database of {name} and its account",
    )
