"""Check 5 passes on a healthy WordPress of either layout, and fails on each way in which one cannot work."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsctl.core.result import Outcome
from restore_drill.checks.wp_config import WpConfig
from tests.support.restored import Fixture

CONFIG = "/etc/wordpress/config-blog.example.php"
DECOY = "/etc/wordpress/config-default.php"


def set_constant(name: str, php: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf"define\('{name}', .*\);", lambda found: f"define('{name}', {php});", text)


def prefix(text: str) -> str:
    return text.replace("'wp7_'", "'wp8_'")


def test_a_restored_debian_wordpress_logs_in_with_its_own_words(demo: Fixture) -> None:
    result = WpConfig().run(demo.restored)
    assert (result.outcome, result.found) == (Outcome.PASSED, "1 of 1 logged in: https://blog.example")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (set_constant("DB_PASSWORD", "'another'"), "do not log in"),
        (set_constant("DB_USER", "'nobody'"), "do not log in"),
        (set_constant("DB_NAME", "'wordpress2'"), "its database is not on the restored server"),
        (prefix, "no WordPress tables under its table prefix"),
        (lambda text: text.replace("define('DB_NAME'", "define('DB_NAME"), r"a syntax error in /etc/wordpress/config-"),
        (lambda text: text.replace("<?php", "<?php undefined();"), "a fatal error in /etc/wordpress/config-"),
        (lambda text: text.replace("<?php", "<?php exit(1);"), "it ended before its settings were read"),
        (set_constant("DB_HOST", "'localhost:/run/mysqld/other.sock'"), None),
        (set_constant("DB_HOST", "'localhost'"), None),
        (set_constant("DB_HOST", "''"), None),
        (set_constant("DB_HOST", "'127.0.0.1'"), None),
        (set_constant("DB_HOST", "'127.0.0.1:3307'"), None),
        (set_constant("DB_HOST", "'localhost:/var/run/mysqld/mysqld.sock'"), None),
    ],
)
def test_what_the_configuration_says_decides(demo: Fixture, change: Callable[[str], str], found: str | None) -> None:
    with demo.changed(CONFIG, change):
        result = WpConfig().run(demo.restored)
    if found is None:
        assert result.outcome is Outcome.PASSED, result.found
    else:
        assert result.outcome is Outcome.FAILED
        assert re.search(found, result.found), result.found
        assert result.hint is not None


def test_an_account_for_the_loopback_address_logs_in_by_tcp(demo: Fixture) -> None:
    server = demo.restored.server
    assert server is not None
    server.need().query("CREATE USER tcp@'127.0.0.1' IDENTIFIED BY 'p'")
    server.need().query("GRANT ALL ON wordpress.* TO tcp@'127.0.0.1'")
    by_tcp = "define('DB_USER', 'tcp'); define('DB_PASSWORD', 'p'); define('DB_HOST', '127.0.0.1');"
    try:
        with demo.changed(CONFIG, lambda text: re.sub(r"define\('DB_(USER|PASSWORD|HOST)'.*\n", "", text) + by_tcp):
            assert WpConfig().run(demo.restored).outcome is Outcome.PASSED
        with demo.changed(CONFIG, lambda text: re.sub(r"define\('DB_(USER|PASSWORD)'.*\n", "", text) + by_tcp[:66]):
            assert WpConfig().run(demo.restored).outcome is Outcome.FAILED
    finally:
        server.need().query("DROP USER tcp@'127.0.0.1'")


def test_an_account_that_needs_no_password_is_let_in_as_its_linux_account_would_be(demo: Fixture) -> None:
    assert demo.restored.server is not None
    server = demo.restored.server.need()
    server.query("CREATE USER linux@localhost IDENTIFIED VIA unix_socket")
    server.query("GRANT ALL ON wordpress.* TO linux@localhost")
    by_socket = "define('DB_USER', 'linux'); define('DB_PASSWORD', '');"
    try:
        with demo.changed(CONFIG, lambda text: re.sub(r"define\('DB_(USER|PASSWORD)'.*\n", "", text) + by_socket):
            assert WpConfig().run(demo.restored).outcome is Outcome.PASSED
        [after] = server.query("SHOW CREATE USER linux@localhost")
        assert str(*after.values()).endswith("IDENTIFIED VIA unix_socket")
        server.query("REVOKE ALL ON wordpress.* FROM linux@localhost")
        with demo.changed(CONFIG, lambda text: re.sub(r"define\('DB_(USER|PASSWORD)'.*\n", "", text) + by_socket):
            assert WpConfig().run(demo.restored).outcome is Outcome.FAILED
    finally:
        server.query("DROP USER linux@localhost")


def test_credentials_of_a_decoy_configuration_are_not_accepted(demo: Fixture) -> None:
    demo.at(DECOY).write_text(demo.at(CONFIG).read_text())
    demo.at(DECOY).chmod(0o644)
    try:
        with demo.without(CONFIG):
            result = WpConfig().run(demo.restored)
    finally:
        demo.at(DECOY).unlink()
    assert result.outcome is Outcome.FAILED
    assert f"takes its settings from /usr/share/wordpress/wp-config.php, {DECOY}, not from {CONFIG}" in result.found


def test_a_missing_siteurl_is_found(demo: Fixture) -> None:
    server = demo.restored.server
    assert server is not None
    server.need().query("UPDATE wordpress.wp7_options SET option_value = '' WHERE option_name = 'siteurl'")
    try:
        result = WpConfig().run(demo.restored)
    finally:
        server.need().query(
            "UPDATE wordpress.wp7_options SET option_value = 'https://blog.example' WHERE option_name = 'siteurl'"
        )
    assert result.outcome is Outcome.FAILED
    assert "address is missing" in result.found


def test_the_password_is_in_no_result(demo: Fixture) -> None:
    password = "verysecretword"
    changes = [
        set_constant("DB_PASSWORD", f"'{password}'"),
        lambda text: text.replace("<?php", f"<?php define('A', 'b') '{password}';"),
        lambda text: text.replace("<?php", f"<?php throw new Exception('{password}');"),
    ]
    for change in changes:
        with demo.changed(CONFIG, change):
            result = WpConfig().run(demo.restored)
        assert result.outcome is Outcome.FAILED
        assert password not in result.model_dump_json()


@pytest.fixture
def upstream(demo: Fixture) -> Iterator[Path]:
    """WordPress as upstream packs it, under /var/www/blog/public, its code a link that leads to a release."""
    release = demo.at("/var/www/blog/releases/7")
    release.mkdir(parents=True)
    for name in ("wp-load.php", "wp-settings.php"):
        (release / name).write_bytes(demo.at(f"/usr/share/wordpress/{name}").read_bytes())
    (demo.at("/var/www/blog") / "public").symlink_to("/var/www/blog/releases/7")
    manifest = demo.restored.manifest
    site = manifest.sites[0].model_copy(
        update={"config": "/var/www/blog/releases/wp-config.php", "code": "/var/www/blog/public", "http_host": None}
    )
    files = manifest.files[0].model_copy(update={"paths": ("/var/www/blog",)})
    demo.restored.manifest = manifest.model_copy(update={"sites": (site,), "files": (files,)})
    yield demo.at("/var/www/blog")
    demo.restored.manifest = manifest
    import shutil

    shutil.rmtree(demo.at("/var/www/blog"))


def test_upstreams_layout_with_the_configuration_one_folder_above(demo: Fixture, upstream: Path) -> None:
    settings = demo.at(CONFIG).read_text() + "$decoy = \"define('DB_USER', 'decoy');\";\n"
    (upstream / "shared").mkdir()
    (upstream / "shared" / "secrets.inc").write_text(settings)
    config = upstream / "releases" / "wp-config.php"
    handover = "if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');\nrequire_once ABSPATH . 'wp-settings.php';\n"
    config.write_text(
        "<?php\n/* define('DB_USER', 'decoy'); */\n# define('DB_PASSWORD', 'decoy');\n"
        f"require dirname(__DIR__) . '/shared/secrets.inc';\n{handover}"
    )
    result = WpConfig().run(demo.restored)
    assert (result.outcome, result.found) == (Outcome.PASSED, "1 of 1 logged in: https://blog.example")


def test_a_hostile_configuration_sees_no_identity_and_reaches_nobody(demo: Fixture, tmp_path: Path) -> None:
    identity = tmp_path / "identity.txt"
    identity.write_text("AGE-SECRET-KEY-1EXAMPLE")
    identity.chmod(0o644)
    hostile = f"""<?php
    $seen = [];
    foreach (['{identity}', '{demo.directory}', '/root', '/home', '/etc/passwd', '/etc/opsctl', '/var/lib/mysql',
              '{demo.at(CONFIG)}', '/etc/mysql/encryption/keyfile.key'] as $path) {{
        if (@file_exists($path)) {{ $seen[] = $path; }}
    }}
    foreach (['tcp://127.0.0.1:22', 'tcp://1.1.1.1:443', 'udp://8.8.8.8:53'] as $address) {{
        $connection = @stream_socket_client($address, $number, $text, 2);
        if ($connection && (strpos($address, 'udp') === false || @fwrite($connection, 'x'))) {{ $seen[] = $address; }}
    }}
    if (posix_geteuid() === 0) {{ $seen[] = 'root'; }}
    if (@file_put_contents(__FILE__, 'changed')) {{ $seen[] = 'written'; }}
    define('DB_NAME', $seen ? implode(' ', $seen) : 'nothing seen');
    """
    with demo.changed(
        CONFIG, lambda text: hostile + text.removeprefix("<?php").replace("define('DB_NAME'", "@define('DB_NAME'")
    ):
        result = WpConfig().run(demo.restored)
        assert demo.at(CONFIG).read_text().startswith(hostile)
    assert result.hint is not None
    assert "DB_NAME 'nothing seen'" in result.hint
