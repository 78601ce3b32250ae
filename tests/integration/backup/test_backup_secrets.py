"""Secrets are in the keys archive and in no other, which opening them all shows."""

from pathlib import Path

from backup.context import Host
from backup.manifest import Manifest
from backup.run import run_backup
from opsctl.stack.settings import NginxSection, SiteSection
from tests.integration.backup.opened import extract, identity, open_plain, place
from tests.support.host import identity_file, make_host
from tests.support.mariadb import Server

SENTINELS = {
    "srv/blog/wp-config.php": "SENTINEL-database-password",
    "srv/blog/app/settings.ini": "SENTINEL-declared",
    "srv/blog/app/.env": "SENTINEL-environment",
    "srv/blog/deploy_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nSENTINEL-ssh\n-----END OPENSSH PRIVATE KEY-----\n",
    "etc/letsencrypt/archive/blog/privkey1.pem": "-----BEGIN PRIVATE KEY-----\nSENTINEL-tls\n",
    "etc/ssl/private/other.key": "SENTINEL-tls-outside-of-the-paths",
    "etc/nginx/ssl/combined.pem": "-----BEGIN CERTIFICATE-----\nA\n-----BEGIN EC PRIVATE KEY-----\nSENTINEL-combined\n",
    "etc/opsctl/secrets/backup.password": "SENTINEL-opsctl",
}
HARMLESS = {
    "srv/blog/index.php": "<?php echo 'harmless';",
    "etc/letsencrypt/archive/blog/fullchain1.pem": "-----BEGIN CERTIFICATE-----\nharmless\n",
    "etc/ssl/certs/other.pem": "-----BEGIN CERTIFICATE-----\nharmless, and outside of the paths\n",
    "etc/opsctl/opsctl.toml": "harmless = true",
    "etc/mysql/my.cnf": "[mariadbd]",
    "srv/vhosts/linked.conf": "server { server_name linked.example; }",
    "etc/nginx/nginx.conf": """
        events {}
        http {
          server { server_name blog.example www.blog.example;
            ssl_certificate /etc/letsencrypt/live/blog/fullchain.pem;
            ssl_certificate_key /etc/letsencrypt/live/blog/privkey.pem; }
          server { server_name other.example;
            ssl_certificate /etc/ssl/certs/other.pem; ssl_certificate_key /etc/ssl/private/other.key; }
          include sites/*.conf;
        }""",
}


def host_with_secrets(directory: Path, server: Server) -> Host:
    root = directory / "root"
    for path, text in {**SENTINELS, **HARMLESS}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    live = root / "etc/letsencrypt/live/blog"
    live.mkdir(parents=True)
    for name in ("privkey", "fullchain"):
        (live / f"{name}.pem").symlink_to(f"../../archive/blog/{name}1.pem")
    (root / "etc/nginx/sites").mkdir()
    (root / "etc/nginx/sites/linked.conf").symlink_to("/srv/vhosts/linked.conf")
    site = SiteSection(
        name="blog",
        kind="wordpress",
        paths=(Path("/srv/blog"), Path("/etc/opsctl")),
        config=Path("/srv/blog/wp-config.php"),
        secret_files=(Path("/srv/blog/app/settings.ini"),),
    )
    return make_host(
        directory, server, root=root, sites=[site], nginx=NginxSection(), config_paths=[Path("/etc/mysql")]
    )


def plain_archives(host: Host, manifest: Manifest, *, keys: bool) -> bytes:
    return b"".join(open_plain(host, artefact) for artefact in manifest.artefacts if (artefact.kind == "keys") is keys)


def test_no_secret_is_in_a_data_archive_and_every_one_is_in_the_keys_archive(
    directory: Path, shared_server: Server
) -> None:
    host = host_with_secrets(directory, shared_server)
    encryption_key = (shared_server.directory / "keys").read_text().strip().partition(";")[2]
    manifest = run_backup(host)
    data, keys = (plain_archives(host, manifest, keys=which) for which in (False, True))
    assert b"SENTINEL" not in data
    assert encryption_key.encode() not in data
    assert b"harmless" in data, "the data archives were not searched at all"
    for path, text in SENTINELS.items():
        assert text.encode() in keys, path
    assert encryption_key.encode() in keys
    assert b"harmless" not in keys


def test_the_manifest_lists_what_is_in_the_keys_archive(directory: Path, shared_server: Server) -> None:
    host = host_with_secrets(directory, shared_server)
    manifest = run_backup(host)
    tree = extract(host, manifest, "keys", directory / "keys")
    found = {f"/{path.relative_to(tree)}" for path in tree.rglob("*") if path.is_symlink() or path.is_file()}
    assert set(manifest.keys) == found
    assert found == {
        *(f"/{path}" for path in SENTINELS),
        "/etc/letsencrypt/live/blog/privkey.pem",
        str(shared_server.directory / "keys"),
    }
    assert manifest.database.key_file == str(shared_server.directory / "keys")


def test_data_and_keys_together_are_the_whole_tree(directory: Path, shared_server: Server) -> None:
    host = host_with_secrets(directory, shared_server)
    manifest = run_backup(host)
    tree = directory / "tree"
    for name in ("files-blog", "files-nginx", "files-mariadb", "keys"):
        extract(host, manifest, name, tree)
    for path, text in {**SENTINELS, **HARMLESS}.items():
        assert (tree / path).read_text() == text
    assert (tree / "etc/letsencrypt/live/blog/privkey.pem").read_text() == SENTINELS[
        "etc/letsencrypt/archive/blog/privkey1.pem"
    ]
    [nginx] = [files for files in manifest.files if files.name == "nginx"]
    assert nginx.paths == (
        "/etc/nginx",
        "/etc/nginx/sites/linked.conf",
        "/etc/letsencrypt/live/blog/fullchain.pem",
        "/etc/ssl/certs/other.pem",
    )
    assert (tree / "etc/nginx/sites/linked.conf").readlink() == Path("/srv/vhosts/linked.conf")
    assert (tree / "srv/vhosts/linked.conf").read_text() == HARMLESS["srv/vhosts/linked.conf"]
    assert manifest.web_server is not None
    assert manifest.web_server.server_names == ("blog.example", "www.blog.example", "other.example", "linked.example")


def test_the_keys_archive_does_not_open_with_the_identity_of_the_data(directory: Path, shared_server: Server) -> None:
    host = host_with_secrets(directory, shared_server)
    manifest = run_backup(host)
    keys, data = manifest.artefact("keys"), manifest.artefact("db")
    assert set(keys.recipients).isdisjoint(data.recipients)
    assert identity(host, keys) != identity_file(directory)
    header = place(host, keys).read_bytes()[:200]
    assert header.startswith(b"age-encryption.org/v1\n-> X25519 ")
