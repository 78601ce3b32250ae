"""A WordPress on a deployed host: Debian's code as a release, a configuration and uploads that outlive releases."""

from pathlib import Path

from opsctl.overview.demo.layout import DATA
from tests.hosts.host import Host

_THEME = Path("usr/share/wordpress/wp-content/themes/shopfront")

_CONFIG = """<?php
define('DB_NAME', '{site}');
define('DB_USER', '{site}');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:/run/mysqld/mysqld.sock');
define('DB_CHARSET', 'utf8mb4');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT',
    'LOGGED_IN_SALT', 'NONCE_SALT'] as $name) {{
    define($name, hash('sha256', $name . '{seed}'));
}}
$table_prefix = 'wp_';
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
if (!defined('ABSPATH')) {{
    define('ABSPATH', '/srv/{site}/current/public/');
}}
require_once ABSPATH . 'wp-settings.php';
"""
_INSTALL = """
$_SERVER['HTTP_HOST'] = '{domain}';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['HTTPS'] = 'on';
define('WP_INSTALLING', true);
function wp_new_blog_notification() {{}}
require '/srv/{site}/current/public/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Shopfront', 'editor', 'editor@{domain}', true, '', 'a-long-password-nobody-needs');
switch_theme('shopfront');
update_option('siteurl', 'https://{domain}');
update_option('home', 'https://{domain}');
$picture = wp_upload_bits('picture.txt', null, str_repeat('picture ', 1000));
wp_insert_attachment(['post_title' => 'Picture', 'post_mime_type' => 'text/plain'], $picture['file']);
"""


def install_wordpress(host: Host, site: str, domain: str) -> None:
    """Make the site's first release a WordPress with a title, a post and an attachment."""
    home = f"/srv/{site}"
    host.write(
        f"{home}/shared/wp-config.php", _CONFIG.format(site=site, seed=domain), mode=0o640, owner=f"{site}:{site}"
    )
    script = f"""
cd {home}/releases/first
cp -RL /usr/share/wordpress/. public
rm -rf public/wp-config.php public/wp-content/uploads
install -d -o {site} -g {site} -m 0750 {home}/shared/uploads
ln -s ../../shared/wp-config.php wp-config.php
ln -s ../../../../shared/uploads public/wp-content/uploads
chown -R {site}:{site} public
"""
    host.shell(script)
    for file in (DATA / "host" / _THEME).iterdir():
        path = f"{home}/releases/first/public/wp-content/themes/shopfront/{file.name}"
        host.write(path, file.read_bytes(), owner=f"{site}:{site}")
    host.run("php", "-r", _INSTALL.format(site=site, domain=domain), user=site)


def post_story(host: Host, site: str, title: str) -> None:
    """Let the site's author publish a post."""
    code = f"""$_SERVER['HTTP_HOST'] = 'x'; require '/srv/{site}/current/public/wp-load.php';
wp_insert_post(['post_title' => '{title}', 'post_status' => 'publish', 'post_author' => 1]);"""
    host.run("php", "-r", code, user=site)
