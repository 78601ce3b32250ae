"""Files with secrets are told from files that only look like it, so that no data archive holds a password."""

from pathlib import Path

import pytest

from backup.keys import find_secrets
from backup.tree import TreeOptions, Walk
from opsctl.core.process import command, run
from opsctl.stack.discovery import discover
from opsctl.stack.discovery.secrets import secret_names
from opsctl.stack.rooted import below
from tests.unit.stack.trees import make_tree, served, wordpress, wp_config

SECRET = (
    "define('DB_PASSWORD', 'x');",
    'define( "AUTH_KEY" , "x" );',
    "// define('DB_PASSWORD', 'x');",
    "define('DB_PASSWORD', getenv('DB_PASSWORD') ?: 'x');",
    "define('DB_PASSWORD', base64_decode('eA=='));",
    "define('NONCE_SALT', 'x');",
    "'password' => 'x',",
    "'smtp_pass' => \"x\",",
    "$config['encryption_key'] = 'x';",
    "public string $key = 'x';",
    "public string $SMTPPass = 'x';",
    "$password='x';",
    "SECRET_KEY = 'x'",
    "DB_PASSWORD=x",
    "  api_token: x",
    '"client_secret": "x"',
    "DATABASE_URL=mysql://u:x@h/d",
)
HARMLESS = (
    "define('DB_PASSWORD', '');",
    "define('DB_PASSWORD', getenv('DB_PASSWORD'));",
    "define('DB_PASSWORD', $_ENV['DB_PASSWORD']);",
    "define('DB_PASSWORD', 'password_here');",
    "define('AUTH_KEY', 'put your unique phrase here');",
    "define('DB_NAME', 'x');",
    "'password' => APP_DB_PASSWORD, 'username' => 'x'",
    "$config['encryption_key'] = '';",
    "$config['csrf_token_name'] = 'csrf_test_name';",
    "$config['cookie_secret_name'] = 'x';",
    "'key' => 'title',",
    "'keywords' => 'x',",
    "SECRET_KEY = os.environ['SECRET_KEY']",
    "SECRET_KEY = env('SECRET_KEY')\nDEBUG = True",
    "AUTH_PASSWORD_VALIDATORS = [",
    "'password_reset_key' => 'x'",
)


@pytest.mark.parametrize("line", SECRET)
def test_what_has_a_value_is_a_secret(line: str) -> None:
    assert secret_names(f"<?php\n$a = 'b';\n{line}\n$c = 'd';\n")


@pytest.mark.parametrize("line", HARMLESS)
def test_what_has_none_is_no_secret(line: str) -> None:
    assert secret_names(f"<?php\n$a = 'b';\n{line}\n$c = 'd';\n") == ()


def test_no_archive_of_a_site_holds_what_discovery_could_have_known(tmp_path: Path) -> None:
    secret = "S3NTINEL"
    config = "<?php\ndefined('BASEPATH') or exit;\n"
    files = {
        **served(
            "server_name blog.example;\nroot /srv/blog/current;",
            "server_name crm.example;\nroot /srv/crm;",
            "server_name static.example;\nroot /srv/static;",
        ),
        **wordpress("/srv/blog/releases/7"),
        "/srv/blog/current": "link:releases/7",
        "/srv/blog/releases/7/wp-config.php": "<?php require __DIR__ . '/../../shared/db.php'; $table_prefix = 'wp_';",
        "/srv/blog/releases/7/wp-config.php.save": wp_config(password=secret),
        "/srv/blog/releases/7/shared": "link:../../shared",
        "/srv/blog/shared/db.php": wp_config(password=secret).replace("require_once", "//"),
        "/srv/crm/application/config/config.php": f"{config}$config['encryption_key'] = '{secret}';",
        "/srv/crm/application/config/database.php": f"{config}$db['default'] = ['password' => '{secret}'];",
        "/srv/crm/application/config/database.php~": f"{config}$db['default'] = ['password' => '{secret}'];",
        "/srv/crm/application/config/email.php": f"{config}$config['smtp_pass'] = '{secret}';",
        "/srv/static/index.html": "x",
        "/srv/static/.env": f"TOKEN={secret}",
        "/etc/systemd/system/api.service": "[Service]\nWorkingDirectory=/srv/api\nEnvironmentFile=/etc/api.env\n"
        f"Environment=API_KEY={secret}\nExecStart=/srv/api/venv/bin/python app.py\n",
        "/etc/api.env": f"X={secret}",
        "/srv/api/venv/pyvenv.cfg": "x",
        "/srv/api/config/local.yml": f"db_password: {secret}\n",
    }
    make_tree(tmp_path, files)
    found = discover(tmp_path)
    assert [site.name for site in found.sites] == ["blog", "crm", "static", "api"]
    declared = dict.fromkeys((file for site in found.sites for file in site.secret_files), tmp_path)
    secrets = find_secrets(tmp_path, declared, ())
    archived = []
    for site in found.sites:
        for each in Walk(tmp_path, site.paths, secrets, TreeOptions(exclude=site.exclude, uploads=site.uploads)):
            if each.type == "file":
                archived.append(each.path)
                assert secret not in below(tmp_path, each.path).read_text(), each.path
    assert Path("/srv/blog/releases/7/wp-load.php") in archived
    holding = run(command("grep", "-rl", secret, tmp_path), timeout_s=60).text().splitlines()
    assert {below(tmp_path, path) for path in secrets.paths()} >= {Path(line) for line in holding}
