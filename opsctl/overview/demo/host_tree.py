"""Writes the files of the throwaway customer's host: configuration, keys, certificates, code."""

import hashlib
import os
import re
import secrets
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import NameOID

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.process import command, run
from opsctl.overview.demo.layout import DATA, Layout, give_to_customer

BLOG_HOST = "blog.example"
BLOG_CONFIG = "/etc/wordpress/config-blog.example.php"
CRM_HOST = "crm.example"
STATIC_HOST = "static.example"
SERVER_NAMES = ("*.static.example", BLOG_HOST, CRM_HOST, STATIC_HOST, "www.blog.example")

COPY_TIMEOUT_S = 600
_WORDPRESS_PACKAGE = Path("/usr/share/wordpress")
_NGINX_PACKAGE = Path("/etc/nginx")
_NGINX_FILES = ("mime.types", "fastcgi_params")
_EMPTY = (
    "/etc/letsencrypt",
    "/etc/mysql/encryption",
    "/etc/nginx/conf.d",
    "/etc/nginx/modules-enabled",
    "/etc/nginx/sites-enabled",
    "/run/mysqld",
    "/srv/crm/uploads/invoices",
    "/usr/share",
    "/var/lib/mysql",
    "/var/lib/nginx",
    "/var/lib/wordpress/wp-content/languages",
    "/var/lib/wordpress/wp-content/plugins",
    "/var/lib/wordpress/wp-content/themes",
    "/var/lib/wordpress/wp-content/uploads",
    "/var/log/mysql",
    "/var/log/nginx",
)
_CUSTOMERS = ("/etc/letsencrypt", "/etc/mysql/encryption", "/etc/wordpress", "/run", "/srv", "/var")


def write_host_tree(layout: Layout) -> None:
    """Write the host's files. Raises OpsError when Debian's wordpress or nginx package is not installed."""
    for needed, package in (
        (_WORDPRESS_PACKAGE / "wp-load.php", "wordpress"),
        (_NGINX_PACKAGE / "mime.types", "nginx"),
    ):
        if not needed.exists():
            raise OpsError(
                f"the demo needs Debian's {package}", where=str(needed), hint=f"run: apt-get install {package}"
            )
    for path in _EMPTY:
        layout.at(path).mkdir(parents=True)
    run(command("cp", "--archive", _WORDPRESS_PACKAGE, layout.at("/usr/share")), timeout_s=COPY_TIMEOUT_S)
    shutil.copytree(DATA / "host", layout.root, dirs_exist_ok=True)
    for name in _NGINX_FILES:
        shutil.copy(_NGINX_PACKAGE / name, layout.at("/etc/nginx") / name)
    _link_sites(layout)
    _link_wordpress_content(layout)
    _fill_in_secrets(layout)
    _write_encryption_keys(layout.at("/etc/mysql/encryption"))
    for name, alternatives in ((STATIC_HOST, ["*.static.example"]), (BLOG_HOST, ["www.blog.example"])):
        _write_certificate(layout.at("/etc/letsencrypt"), name, alternatives)
    _write_crm_uploads(layout.at("/srv/crm/uploads/invoices"))
    layout.at("/var/run").symlink_to("/run")
    for path in _CUSTOMERS:
        give_to_customer(layout.at(path))


def _link_sites(layout: Layout) -> None:
    for site in sorted(layout.at("/etc/nginx/sites-available").iterdir()):
        (layout.at("/etc/nginx/sites-enabled") / site.name).symlink_to(f"/etc/nginx/sites-available/{site.name}")


def _link_wordpress_content(layout: Layout) -> None:
    """Link themes and plugins from the content into the package's tree, as Debian's wordpress package does."""
    shutil.copy(
        layout.at("/usr/share/wordpress/wp-content/plugins/index.php"), layout.at("/var/lib/wordpress/wp-content")
    )
    for kind in ("themes", "plugins"):
        for entry in sorted((layout.at("/usr/share/wordpress/wp-content") / kind).iterdir()):
            link = layout.at("/var/lib/wordpress/wp-content") / kind / entry.name
            link.symlink_to(f"/usr/share/wordpress/wp-content/{kind}/{entry.name}")


def _fill_in_secrets(layout: Layout) -> None:
    """Give each @@PLACE@@ in the sites' configuration a value of its own."""
    values = {
        # Passwords chosen by people hold what breaks careless parsers.
        "DB_PASSWORD": lambda: f'it\'s $0 \\ "{secrets.token_hex(12)}" #;',
        "ENC_KEY": lambda: secrets.token_hex(16),
        "SALT": lambda: secrets.token_urlsafe(48),
    }
    for path in (BLOG_CONFIG, "/srv/crm/application/config/app-config.php"):
        file = layout.at(path)
        text = re.sub(r"@@(\w+)@@", lambda match: _php_string(values[match[1]]()), file.read_text())
        write_secret(file, text, mode=0o640)


def _php_string(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def php_constant(file: Path, name: str) -> str:
    """Read one constant back from a configuration file that this module wrote."""
    found = re.search(rf"define\('{name}', '((?:[^'\\]|\\.)*)'\);", file.read_text())
    if found is None:
        raise OpsError(f"{name} is not defined", where=str(file))
    return re.sub(r"\\(.)", r"\1", found[1])


def write_secret(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file that never, not even for a moment, is readable by others."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)


def _write_encryption_keys(directory: Path) -> None:
    """Write three keys as file_key_management reads them: encrypted as `openssl enc -aes-256-cbc -md sha1` does.

    Format: https://mariadb.com/kb/en/file-key-management-encryption-plugin/ ("Encrypting the Key File").
    """
    filekey = secrets.token_hex(64)
    plain = "".join(f"{number};{secrets.token_hex(32)}\n" for number in (1, 2, 3)).encode()
    salt = secrets.token_bytes(8)
    derived = b""
    block = b""
    while len(derived) < 48:
        block = hashlib.sha1(block + filekey.encode() + salt, usedforsecurity=False).digest()
        derived += block
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[32:48])).encryptor()
    cipher = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    write_secret(directory / "keyfile.key", filekey + "\n")
    (directory / "keyfile.enc").write_bytes(b"Salted__" + salt + cipher)
    (directory / "keyfile.enc").chmod(0o600)


def _write_certificate(directory: Path, name: str, alternatives: list[str]) -> None:
    """Write a self-signed certificate where certbot puts its own: files in archive/, links to them in live/."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(each) for each in (name, *alternatives)])
    now: datetime = utcnow()
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    archive, live = directory / "archive" / name, directory / "live" / name
    archive.mkdir(parents=True)
    live.mkdir(parents=True)
    write_secret(archive / "privkey1.pem", private)
    for kind, text in (("cert", certificate), ("chain", certificate), ("fullchain", certificate)):
        (archive / f"{kind}1.pem").write_text(text)
    for kind in ("cert", "chain", "fullchain", "privkey"):
        (live / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}1.pem")


def _write_crm_uploads(directory: Path) -> None:
    for number in range(1, 6):
        text = "".join(f"{number:04} line {line}: {line * number * 17 % 9973}\n" for line in range(400))
        (directory / f"invoice-{number:04}.txt").write_text(text)
