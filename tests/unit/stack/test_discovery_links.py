"""A WordPress that is deployed behind links is found by the names that last, with all that its links lead to."""

from pathlib import Path

from tests.unit.stack.looking import login, look, only, puzzles
from tests.unit.stack.trees import served, wordpress, wp_config

ROOT = "/var/www/blog"
SERVER = f"listen 443 ssl;\nserver_name blog.example www.blog.example;\nroot {ROOT};"


def test_a_release_behind_a_link_keeps_its_stable_name(tmp_path: Path) -> None:
    files = wordpress("/srv/blog/releases/7") | {
        "/srv/blog/current": "link:releases/7",
        "/srv/blog/releases/7/wp-config.php": "link:/srv/blog/shared/wp-config.php",
        "/srv/blog/shared/wp-config.php": wp_config(user="shared"),
        "/srv/blog/releases/7/media": "link:../../shared/media",
        "/srv/blog/shared/media/a.jpg": "x",
        "/srv/blog/releases/6/wp-config.php": wp_config(user="decoy"),
    }
    site = only(look(tmp_path, served("server_name blog.example;\nroot /srv/blog/current;"), files))
    assert site.paths == (
        Path("/srv/blog/current"),
        Path("/srv/blog/shared/media"),
        Path("/srv/blog/shared/wp-config.php"),
    )
    assert (site.config, site.name) == (Path("/srv/blog/current/wp-config.php"), "blog")
    assert site.secret_files == (Path("/srv/blog/shared/wp-config.php"),)
    assert site.uploads == Path("/srv/blog/current/wp-content/uploads")
    assert login(site)[0] == "shared"


def test_above_the_code_is_above_its_real_directory_as_in_php(tmp_path: Path) -> None:
    files = wordpress("/srv/blog/releases/7") | {
        "/srv/blog/current": "link:releases/7",
        "/srv/blog/wp-config.php": wp_config(user="decoy"),
        "/srv/blog/releases/wp-config.php": wp_config(user="real"),
    }
    site = only(look(tmp_path, served("server_name blog.example;\nroot /srv/blog/current;"), files))
    assert login(site)[0] == "real"
    assert site.config == Path("/srv/blog/releases/wp-config.php")


def test_links_to_what_packages_bring_and_to_nothing_are_left(tmp_path: Path) -> None:
    files = {
        f"{ROOT}/wp-config.php": wp_config(),
        f"{ROOT}/ca.crt": "link:/etc/ssl/certs/ca.crt",
        "/etc/ssl/certs/ca.crt": "x",
        f"{ROOT}/lib.js": "link:/usr/share/javascript/lib.js",
        "/usr/share/javascript/lib.js": "x",
        f"{ROOT}/gone": "link:/nowhere",
        f"{ROOT}/self": "link:.",
    }
    assert only(look(tmp_path, served(SERVER), wordpress(ROOT), files)).paths == (Path(ROOT),)


def test_a_link_around_the_site_is_told_and_not_followed(tmp_path: Path) -> None:
    files = {f"{ROOT}/wp-config.php": wp_config(), f"{ROOT}/all": "link:/var/www", "/var/www/other/x": "x"}
    found = look(tmp_path, served(SERVER), wordpress(ROOT), files)
    assert found.sites[0].paths == (Path(ROOT),)
    assert "around the site itself" in puzzles(found)[0]


def test_a_composer_project_is_kept_whole_and_its_settings_are_told(tmp_path: Path) -> None:
    web = "/srv/bed/web"
    files = wordpress(f"{web}/wp", content=False) | {
        f"{web}/index.php": "<?php require __DIR__ . '/wp/wp-blog-header.php';",
        f"{web}/wp-config.php": "<?php require_once dirname(__DIR__) . '/vendor/autoload.php';\n"
        "require_once dirname(__DIR__) . '/config/application.php';\nrequire_once ABSPATH . 'wp-settings.php';\n",
        "/srv/bed/config/application.php": "<?php\nuse Roots\\WPConfig\\Config;\n"
        "Config::define('DB_NAME', env('DB_NAME'));",
        "/srv/bed/composer.json": "{}",
        "/srv/bed/.env": "DB_PASSWORD=S3NTINEL\n",
    }
    found = look(tmp_path, served(f"server_name bed.example;\nroot {web};"), files)
    (site,) = found.sites
    assert site.paths == (Path("/srv/bed"),)
    assert Path("/srv/bed/.env") in site.secret_files
    assert any("application.php, line 3: calls Config::define()" in puzzle for puzzle in puzzles(found))
    assert "S3NTINEL" not in repr(found)


def test_what_lies_in_a_release_is_named_by_the_link_that_lasts(tmp_path: Path) -> None:
    more = "define('WP_CONTENT_DIR', __DIR__ . '/content');\ndefine('UPLOADS', 'files');\n"
    files = wordpress("/srv/blog/releases/7", content=False) | {
        "/srv/blog/current": "link:releases/7",
        "/srv/blog/releases/7/wp-config.php": wp_config(more=more),
        "/srv/blog/releases/7/content/cache/x": "x",
        "/srv/blog/releases/7/files/a.jpg": "x",
    }
    site = only(look(tmp_path, served("server_name blog.example;\nroot /srv/blog/current;"), files))
    assert site.paths == (Path("/srv/blog/current"),)
    assert site.config == Path("/srv/blog/current/wp-config.php")
    assert site.secret_files == (site.config,)
    assert site.uploads == Path("/srv/blog/current/files")
    assert site.exclude == ("/srv/blog/releases/*/content/cache/*",)
