"""Small hosts for tests: files by their paths, a value of `link:TARGET` makes a symbolic link."""

from collections.abc import Mapping
from pathlib import Path


def make_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Write `files`, whose paths are absolute as on the host, below `root`; return `root`."""
    for path, content in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("link:"):
            place.symlink_to(content.removeprefix("link:"))
        elif path.endswith("/"):
            place.mkdir(exist_ok=True)
        else:
            place.write_text(content)
    return root


def served(*servers: str, more: str = "") -> dict[str, str]:
    """An nginx as Debian lays it out, with these server blocks, one file each, and a MariaDB."""
    files = {
        "/etc/mysql/my.cnf": "[mysqld]\n",
        "/etc/nginx/nginx.conf": "user www-data;\nevents {}\nhttp {\n\tinclude mime.types;\n"
        f"{more}\n\tinclude /etc/nginx/conf.d/*.conf;\n\tinclude /etc/nginx/sites-enabled/*;\n}}\n",
        "/etc/nginx/mime.types": "types { text/html html; }\n",
    }
    for number, server in enumerate(servers):
        files[f"/etc/nginx/sites-available/{number}"] = f"server {{\n{server}\n}}\n"
        files[f"/etc/nginx/sites-enabled/{number}"] = f"link:/etc/nginx/sites-available/{number}"
    return files


def wordpress(code: str, *, content: bool = True) -> dict[str, str]:
    """The files of a WordPress that discovery looks at."""
    files = {f"{code}/{name}": "<?php\n" for name in ("wp-load.php", "wp-settings.php", "index.php", "wp-login.php")}
    files[f"{code}/wp-config-sample.php"] = wp_config(user="username_here", password="password_here")
    if content:
        files[f"{code}/wp-content/uploads/2026/01/a.jpg"] = "picture"
        files[f"{code}/wp-content/index.php"] = "<?php\n"
    return files


def php_string(text: str) -> str:
    """Text as a PHP string in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def wp_config(
    *, user: str = "wp", password: str = "p4ss", database: str = "blog", prefix: str = "wp_", more: str = ""
) -> str:
    """A wp-config.php as WordPress' installer writes it."""
    values = {"DB_NAME": database, "DB_USER": user, "DB_PASSWORD": password, "DB_HOST": "localhost"}
    defined = "".join(f"define( '{name}', {php_string(value)} );\n" for name, value in values.items())
    return (
        f"<?php\n/** The base configuration */\n{defined}define( 'AUTH_KEY', 'k3y' );\n{more}\n"
        f"$table_prefix = '{prefix}';\nif ( ! defined( 'ABSPATH' ) ) {{\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}}\n"
        "require_once ABSPATH . 'wp-settings.php';\n"
    )


# Chooses as the file in Debian's package does.
DEBIAN_WP_CONFIG = r"""<?php
$debian_server = preg_replace('/:.*/', "", $_SERVER['HTTP_HOST']);
$debian_server = preg_replace("/[^a-zA-Z0-9.\-]/", "", $debian_server);
if (isset($_SERVER['WORDPRESS_CONFIG']) && preg_match("/^[a-zA-Z0-9-]+$/", $_SERVER['WORDPRESS_CONFIG'])) {
    $debian_file = '/etc/wordpress/config-'.$_SERVER['WORDPRESS_CONFIG'].'.php';
} else {
    $debian_file = '/etc/wordpress/config-'.strtolower($debian_server).'.php';
}
$debian_main_server = preg_replace("/^[^.]*\./", "", $debian_server);
$debian_main_file = '/etc/wordpress/config-'.strtolower($debian_main_server).'.php';
if (file_exists($debian_file)) {
    require_once($debian_file);
    define('DEBIAN_FILE', $debian_file);
} elseif (file_exists($debian_main_file)) {
    require_once($debian_main_file);
    define('DEBIAN_FILE', $debian_main_file);
} elseif (file_exists("/etc/wordpress/config-default.php")) {
    require_once("/etc/wordpress/config-default.php");
    define('DEBIAN_FILE', "/etc/wordpress/config-default.php");
} else {
    header("HTTP/1.0 404 Not Found");
    exit(1);
}
if (!defined('DB_NAME'))
    define('DB_NAME', 'wordpress');
if (!defined('WP_CONTENT_DIR') && !defined('DONT_SET_WP_CONTENT_DIR'))
    define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
require_once(ABSPATH . 'wp-settings.php');
"""
