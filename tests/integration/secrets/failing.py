"""Settings with which commands fail, each on a secret that is there and wrong."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyrage

from opsctl.core.signing import create_key
from opsctl.overview.demo.host_tree import BLOG_CONFIG
from tests.integration.secrets.commands import (
    ARCHIVE,
    BIGQUERY_MANGLED,
    GRANTS,
    IDENTITY,
    MANGLED,
    PASSWORD,
    S3_GONE,
    S3_MANGLED,
    SFTP_GONE,
    SFTP_MANGLED,
    SIGNING_KEY,
    SITE,
)
from tests.integration.secrets.secret_host import CRM_CONFIG, SecretHost, fresh
from tests.integration.secrets.sentinels import private_bytes


def mangled(host: SecretHost) -> Path:
    """Secrets stand in the settings, where paths and recipients belong."""
    identity = re.findall(r"AGE-SECRET-KEY-\w+", (host.directory / "identity.txt").read_text())[0]
    password = host.plant("password in the settings").read_text().strip()

    def change(text: str) -> str:
        text = re.sub(r"^recipients = .*$", f'recipients = ["{identity}"]', text, flags=re.MULTILINE)
        text = re.sub(r"^backup_password_file = .*$", f'backup_password = "{password}"', text, flags=re.MULTILINE)
        return text + f'\n[database_password]\npassword = "{password}"\n'

    return host.variant(MANGLED, change)


def wrong_password(host: SecretHost) -> Path:
    """Every account's password is another."""
    file = host.plant("wrong password")
    pattern = re.compile(r'^((?:\w+_)?password_file) = ".*"$', re.MULTILINE)
    return host.variant(PASSWORD, lambda text: pattern.sub(rf'\1 = "{file}"', text))


def no_grants(host: SecretHost) -> Path:
    """The account is there, and may do nothing."""
    file = host.plant("password of an account without grants")
    with host.stack.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_log_off = ON")
        cursor.execute("CREATE USER poor@localhost IDENTIFIED BY %s", (file.read_text().strip(),))

    def change(text: str) -> str:
        text = re.sub(r'^((?:backup|ship)_password_file) = ".*"$', rf'\1 = "{file}"', text, flags=re.MULTILINE)
        return text.replace("[database]\n", '[database]\nbackup_user = "poor"\nship_user = "poor"\n')

    return host.variant(GRANTS, change)


def wrong_identity(host: SecretHost) -> Path:
    """One identity is another, and one is no identity at all."""
    other = host.directory / "other-identity.txt"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    other.chmod(0o600)
    host.sentinels.add("another identity", other.read_text().strip())
    none = host.plant("mangled identity", "AGE-SECRET-KEY-1{}\n")

    def change(text: str) -> str:
        text = text.replace(f'["{host.directory / "identity.txt"}"]', f'["{other}"]')
        return text.replace(f'["{host.directory / "keys-identity.txt"}"]', f'["{none}"]')

    return host.variant(IDENTITY, change)


def mangled_signing_key(host: SecretHost) -> Path:
    """The signing key is none."""
    key = host.directory / "other_signing_key"
    create_key(key, "host@demo")
    secret = fresh()
    host.sentinels.add("mangled signing key", secret)
    lines = key.read_text().splitlines()
    key.write_text("\n".join([lines[0], secret, *lines[1:]]) + "\n")
    original = host.directory / "signing_key"
    return host.variant(SIGNING_KEY, lambda text: text.replace(f'"{original}"', f'"{key}"'))


def broken_archive(host: SecretHost) -> Path:
    """Every archive of a copy of the repository has lost its last byte, and gained another."""
    copy = host.directory / "broken-repository"
    shutil.copytree(host.directory / "repository", copy)
    for archive in copy.glob("*/backups/**/*.age"):
        archive.chmod(0o600)
        data = archive.read_bytes()
        archive.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return host.variant(ARCHIVE, lambda text: text.replace(f'"{host.directory / "repository"}"', f'"{copy}"'))


def mangled_site(host: SecretHost) -> Path:
    """The sites' own configurations have errors, and PHP quotes what stands beside one. Needs a backup of its own."""
    for path in (BLOG_CONFIG, CRM_CONFIG):
        file = host.stack.layout.at(path)
        file.write_text(re.sub(r"(define\('\w*(?:PASSWORD|KEY)\w*'),", r"\1", file.read_text()))

    def change(text: str) -> str:
        text = text.replace(f'"{host.directory / "repository"}"', f'"{host.directory / "site-repository"}"')
        return text.replace(f'"{host.directory / "state"}"', f'"{host.directory / "site-state"}"')

    return host.variant(SITE, change)


def s3_gone(host: SecretHost) -> Path:
    """The keys of an S3 service are whole, and nobody answers."""
    return _s3(host, S3_GONE, host.plant("S3 keys", "[default]\naws_access_key_id = a\naws_secret_access_key = {}\n"))


def s3_mangled(host: SecretHost) -> Path:
    """The keys of an S3 service stand in a file that cannot be read as one."""
    return _s3(host, S3_MANGLED, host.plant("mangled S3 keys", "aws_secret_access_key = {}\n"))


def _s3(host: SecretHost, name: str, credentials: Path) -> Path:
    lines = ('kind = "s3"', 'bucket = "acme"', 'endpoint = "http://127.0.0.1:9"', "timeout_s = 1")
    return _elsewhere(host, name, (*lines, f'credentials_file = "{credentials}"'))


def sftp_gone(host: SecretHost) -> Path:
    """The key of an SFTP account is whole, and nobody answers."""
    key = host.directory / "sftp_key"
    create_key(key, "acme")
    host.sentinels.add("SFTP key", private_bytes(key))
    return _sftp(host, SFTP_GONE, key)


def sftp_mangled(host: SecretHost) -> Path:
    """The key of an SFTP account is none."""
    begin, end = (f"-----{word} OPENSSH PRIVATE KEY-----" for word in ("BEGIN", "END"))
    return _sftp(host, SFTP_MANGLED, host.plant("mangled SFTP key", f"{begin}\n{{}}\n{end}\n"))


def _sftp(host: SecretHost, name: str, key: Path) -> Path:
    server = " ".join((host.directory / "signing_key.pub").read_text().split()[:2])
    lines = ('kind = "sftp"', 'host = "127.0.0.1"', "port = 9", 'user = "acme"', 'path = "/"', "timeout_s = 1")
    return _elsewhere(host, name, (*lines, f'host_keys = ["{server}"]', f'key_file = "{key}"'))


def _elsewhere(host: SecretHost, name: str, lines: Sequence[str]) -> Path:
    """There is one more repository, of another kind."""
    table = "\n".join(("[[repositories]]", 'name = "elsewhere"', *lines))
    return host.variant(name, lambda text: f"{text}\n{table}\n")


def bigquery_mangled(host: SecretHost) -> Path:
    """The key of a service account stands in a file that cannot be read as one."""
    key = host.plant("mangled BigQuery key", '{"type": "service_account", "private_key": "{}"}\n')
    lines = ('name = "bill"', 'kind = "bigquery"', 'project = "acme"', 'table = "a.b.c"', 'location = "x"')
    source = "\n".join(("[[sources]]", *lines, f'credentials_file = "{key}"'))
    return host.variant(BIGQUERY_MANGLED, lambda text: f"{text}\n{source}\n")


# Those that a host has from the beginning, and those that need a backup.
EARLY: tuple[Callable[[SecretHost], Path], ...] = (
    mangled,
    wrong_password,
    no_grants,
    wrong_identity,
    mangled_signing_key,
    s3_gone,
    s3_mangled,
    sftp_gone,
    sftp_mangled,
    bigquery_mangled,
)
