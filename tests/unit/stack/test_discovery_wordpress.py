"""Each way to lay out a WordPress is found as WordPress itself would find it; beside each lies a decoy."""

from pathlib import Path

import pytest

from tests.unit.stack.looking import login, look, only, puzzles
from tests.unit.stack.trees import DEBIAN_WP_CONFIG, served, wordpress, wp_config

ROOT = "/var/www/blog"
SERVER = f"listen 443 ssl;\nserver_name blog.example www.blog.example;\nroot {ROOT};"


def test_upstreams_one_tree(tmp_path: Path) -> None:
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), {f"{ROOT}/wp-config.php": wp_config()}))
    assert site.section().model_dump(exclude_defaults=True) == {
        "name": "blog",
        "kind": "wordpress",
        "paths": (Path(ROOT),),
        "secret_files": (Path(f"{ROOT}/wp-config.php"),),
        "config": Path(f"{ROOT}/wp-config.php"),
        "http_host": "blog.example",
        "uploads": Path(f"{ROOT}/wp-content/uploads"),
    }
    assert login(site) == ("wp", "p4ss", "blog", "wp_")
    assert site.server_names == ("blog.example", "www.blog.example")


def test_the_configuration_one_directory_above_the_code(tmp_path: Path) -> None:
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), {"/var/www/wp-config.php": wp_config(user="above")}))
    assert (site.config, site.code) == (Path("/var/www/wp-config.php"), Path(ROOT))
    assert site.secret_files == (Path("/var/www/wp-config.php"),)
    assert login(site)[0] == "above"


def test_a_configuration_above_belongs_to_the_wordpress_that_lies_there(tmp_path: Path) -> None:
    trees = wordpress("/var/www"), wordpress(ROOT), {"/var/www/wp-config.php": wp_config(user="other")}
    found = look(tmp_path, served(SERVER), *trees)
    assert found.sites == ()
    assert puzzles(found) == [f"{ROOT}: is a WordPress without a wp-config.php"]


def test_a_configuration_beside_the_code_goes_before_one_above(tmp_path: Path) -> None:
    configs = {f"{ROOT}/wp-config.php": wp_config(user="beside"), "/var/www/wp-config.php": wp_config(user="decoy")}
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), configs))
    assert login(site)[0] == "beside"


def test_credentials_in_a_required_file(tmp_path: Path) -> None:
    main = (
        "<?php\nrequire_once dirname(__DIR__) . '/private/db.php';\n// require 'decoy.php';\n$table_prefix = 'x9_';\n"
        "if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');\nrequire_once ABSPATH . 'wp-settings.php';\n"
    )
    files = {
        f"{ROOT}/wp-config.php": main,
        f"{ROOT}/decoy.php": wp_config(user="decoy"),
        "/var/www/private/db.php": wp_config(user="required", prefix="decoy_").replace("require_once", "//"),
    }
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), files))
    assert site.config == Path("/var/www/private/db.php")
    assert site.code == Path(ROOT)
    assert Path("/var/www/private/db.php") in site.secret_files
    assert login(site) == ("required", "p4ss", "blog", "x9_")


def test_credentials_that_a_required_file_returns(tmp_path: Path) -> None:
    main = (
        "<?php\n$s = require __DIR__ . '/../secrets.php';\n"
        "define('DB_NAME', $s['name']); define('DB_USER', $s['user']); define('DB_PASSWORD', $s['password']);\n"
        "define('DB_HOST', 'localhost'); $table_prefix = 'wp_';\nrequire ABSPATH . 'wp-settings.php';\n"
    )
    secrets = "<?php return ['name' => 'n', 'user' => 'u', 'password' => 'p'];"
    files = {f"{ROOT}/wp-config.php": main, "/var/www/secrets.php": secrets}
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), files))
    assert login(site) == ("u", "p", "n", "wp_")
    assert Path("/var/www/secrets.php") in site.secret_files


@pytest.mark.parametrize(
    "password", ["it's", 'a"b', "$0 $x {$y}", "back\\slash\\", "#;// /* x */", "ünïcode", "<?php ?>"]
)
def test_passwords_as_people_choose_them(password: str, tmp_path: Path) -> None:
    config = {f"{ROOT}/wp-config.php": wp_config(password=password, prefix="Foo_1_")}
    assert login(only(look(tmp_path, served(SERVER), wordpress(ROOT), config))) == ("wp", password, "blog", "Foo_1_")


def test_decoys_in_comments_and_dead_code_are_passed_by(tmp_path: Path) -> None:
    decoys = (
        "<?php\n// define('DB_USER', 'decoy');\n# define('DB_USER', 'decoy');\n/* define('DB_USER', 'decoy');\n"
        "define('DB_PASSWORD', 'decoy'); */\nif (false) { define('DB_USER', 'decoy'); }\n"
        "$note = \"define('DB_USER', 'decoy');\";\nfunction old() { define('DB_USER', 'decoy'); }\n?>\n"
        "define('DB_USER', 'decoy');\n"
    )
    config = {f"{ROOT}/wp-config.php": decoys + wp_config(user="true") + "define('DB_USER', 'too late');"}
    assert login(only(look(tmp_path, served(SERVER), wordpress(ROOT), config)))[0] == "true"


def test_copies_of_the_configuration_are_secret_and_never_taken(tmp_path: Path) -> None:
    copies = ("wp-config.php.bak", "wp-config.php~", "wp-config-old.php", ".wp-config.php.swp", "wp-config.bak")
    files = {f"{ROOT}/{name}": wp_config(user="decoy", password="old") for name in copies}
    files[f"{ROOT}/.wp-config.php.swp"] = "b0VIM\0old"
    files[f"{ROOT}/wp-config.php"] = wp_config(user="true")
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), files))
    assert login(site)[0] == "true"
    assert {file.name for file in site.secret_files} == {"wp-config.php", *copies}


def test_the_sample_and_files_without_secrets_are_not_secret(tmp_path: Path) -> None:
    files = {
        f"{ROOT}/wp-config.php": wp_config(),
        f"{ROOT}/.env.example": "DB_PASSWORD=x\n",
        f"{ROOT}/wp-config-docker.php": "<?php define('DB_PASSWORD', getenv('DB_PASSWORD'));",
        f"{ROOT}/wp-content/uploads/wp-config.php.bak": wp_config(),
        f"{ROOT}/wp-content/plugins/x/config.php": "<?php return ['password_reset_key' => 'x'];",
    }
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), files))
    assert site.secret_files == (Path(f"{ROOT}/wp-config.php"),)


def test_what_only_php_can_tell_is_told_and_not_guessed(tmp_path: Path) -> None:
    config = wp_config().replace("'p4ss'", "getenv('WP_PASSWORD')").replace("'wp'", "strrev('S3NTINEL')")
    found = look(tmp_path, served(SERVER), wordpress(ROOT), {f"{ROOT}/wp-config.php": config})
    (site,) = found.sites
    assert site.login is None
    assert site.config == Path(f"{ROOT}/wp-config.php")
    (told,) = puzzles(found)
    assert "DB_USER, DB_PASSWORD cannot be told without running PHP" in told
    assert "line 5: what getenv() returns" in told
    assert "S3NTINEL" not in told


def test_a_broken_configuration_is_told_with_its_line(tmp_path: Path) -> None:
    broken = {f"{ROOT}/wp-config.php": "<?php\ndefine('DB_USER', 'x');\ndefine('DB_PASSWORD', 'S3NTINEL);\n"}
    found = look(tmp_path, served(SERVER), wordpress(ROOT), broken)
    (told,) = puzzles(found)
    assert "wp-config.php, line 3: is not valid PHP: a string does not end" in told
    assert "S3NTINEL" not in repr(found)


def test_content_and_uploads_at_places_of_their_own(tmp_path: Path) -> None:
    more = (
        "define('WP_CONTENT_DIR', dirname(__DIR__) . '/content');\ndefine('WP_PLUGIN_DIR', '/srv/plugins');\n"
        "// define('UPLOADS', 'decoy');\n"
    )
    files = {
        f"{ROOT}/wp-config.php": wp_config(more=more),
        "/var/www/content/uploads/a.jpg": "x",
        "/var/www/content/cache/x": "x",
        "/srv/plugins/p.php": "<?php",
    }
    site = only(look(tmp_path, served(SERVER), wordpress(ROOT), files))
    assert site.paths == (Path(ROOT), Path("/var/www/content"), Path("/srv/plugins"))
    assert site.uploads == Path("/var/www/content/uploads")
    assert site.exclude == ("/var/www/content/cache/*",)


def test_uploads_by_their_own_constant(tmp_path: Path) -> None:
    files = {f"{ROOT}/wp-config.php": wp_config(more="define('UPLOADS', 'files');"), f"{ROOT}/files/a.jpg": "x"}
    assert only(look(tmp_path, served(SERVER), wordpress(ROOT), files)).uploads == Path(f"{ROOT}/files")


def test_a_site_without_uploads_is_told(tmp_path: Path) -> None:
    found = look(tmp_path, served(SERVER), wordpress(ROOT, content=False), {f"{ROOT}/wp-config.php": wp_config()})
    assert found.sites[0].uploads is None
    assert "no uploads are there" in puzzles(found)[0]


def test_wordpress_in_its_own_directory(tmp_path: Path) -> None:
    files = {
        f"{ROOT}/index.php": "<?php\nrequire __DIR__ . '/wp/wp-blog-header.php';\n",
        f"{ROOT}/wp-config.php": wp_config(user="above"),
        f"{ROOT}/robots.txt": "x",
    }
    site = only(look(tmp_path, served(SERVER), wordpress(f"{ROOT}/wp"), files))
    assert (site.paths, site.code, site.name) == ((Path(ROOT),), Path(f"{ROOT}/wp"), "blog")
    assert site.config == Path(f"{ROOT}/wp-config.php")


def test_a_second_wordpress_in_a_directory_of_the_first(tmp_path: Path) -> None:
    files = {f"{ROOT}/wp-config.php": wp_config(), f"{ROOT}/shop/wp-config.php": wp_config(database="shop")}
    found = look(tmp_path, served(SERVER), wordpress(ROOT), wordpress(f"{ROOT}/shop"), files)
    assert puzzles(found) == []
    assert [(site.name, login(site)[2]) for site in found.sites] == [("blog", "blog"), ("blog-shop", "shop")]
    assert found.sites[0].exclude == (f"{ROOT}/shop/*",)


def test_a_multisite_is_one_site_that_knows_its_own_name(tmp_path: Path) -> None:
    more = "define('MULTISITE', true);\ndefine('DOMAIN_CURRENT_SITE', 'www.blog.example');\n"
    server = f"server_name blog.example *.blog.example www.blog.example;\nroot {ROOT};"
    site = only(look(tmp_path, served(server), wordpress(ROOT), {f"{ROOT}/wp-config.php": wp_config(more=more)}))
    assert (site.multisite, site.http_host) == (True, "www.blog.example")
    plain = "define('WP_ALLOW_MULTISITE', true);\ndefine('DOMAIN_CURRENT_SITE', 'elsewhere.example');\n"
    files = served(server) | wordpress(ROOT) | {f"{ROOT}/wp-config.php": wp_config(more=plain)}
    site = only(look(tmp_path / "other", files))
    assert (site.multisite, site.http_host) == (False, "blog.example")


def test_one_tree_whose_configuration_goes_by_the_host_name_is_several_sites(tmp_path: Path) -> None:
    config = (
        "<?php\nif ($_SERVER['HTTP_HOST'] == 'shop.example') { define('DB_NAME', 'shop'); }\n"
        "else { define('DB_NAME', 'blog'); }\ndefine('DB_USER', 'u'); define('DB_PASSWORD', 'p');\n"
        "define('DB_HOST', 'localhost');\n$table_prefix = 'wp_';\nrequire ABSPATH . 'wp-settings.php';\n"
    )
    shop = f"server_name shop.example;\nroot {ROOT};"
    found = look(tmp_path, served(SERVER, shop), wordpress(ROOT), {f"{ROOT}/wp-config.php": config})
    assert puzzles(found) == []
    assert [(site.name, site.http_host, login(site)[2]) for site in found.sites] == [
        ("blog", "blog.example", "blog"),
        ("shop", "shop.example", "shop"),
    ]


def test_a_configuration_by_host_name_without_a_plain_name_is_told(tmp_path: Path) -> None:
    config = wp_config().replace("'p4ss'", "$_SERVER['HTTP_HOST'] === 'a.example' ? 'p4ss' : 'decoy'")
    server = f"server_name *.example;\nroot {ROOT};"
    found = look(tmp_path, served(server), wordpress(ROOT), {f"{ROOT}/wp-config.php": config})
    assert (found.sites[0].http_host, found.sites[0].login) == (None, None)
    assert "DB_PASSWORD cannot be told without running PHP" in puzzles(found)[0]


def test_one_web_root_of_two_servers_is_one_site(tmp_path: Path) -> None:
    other = f"server_name blog.example.org;\nroot {ROOT}/;"
    site = only(look(tmp_path, served(SERVER, other), wordpress(ROOT), {f"{ROOT}/wp-config.php": wp_config()}))
    assert site.server_names == ("blog.example", "www.blog.example", "blog.example.org")


# Debian


def debian(*hosts: str) -> dict[str, str]:
    code, content = "/usr/share/wordpress", "/var/lib/wordpress/wp-content"
    files = {
        **wordpress(code, content=False),
        f"{code}/wp-config.php": DEBIAN_WP_CONFIG,
        f"{code}/.htaccess": "link:/etc/wordpress/htaccess",
        "/etc/wordpress/htaccess": "# nothing",
        f"{code}/wp-content/themes/two/style.css": "x",
        f"{content}/themes/two": f"link:{code}/wp-content/themes/two",
        f"{content}/plugins/bought": "link:/opt/plugins/bought",
        "/opt/plugins/bought/plugin.php": "<?php",
        f"{content}/uploads/a.jpg": "x",
    }
    for name in hosts:
        text = wp_config(user=f"u_{name}", database=name.replace(".", "_"), prefix="d7_")
        files[f"/etc/wordpress/config-{name}.php"] = text.partition("if ( ! defined")[0]
    return files


DEBIAN_SERVER = "server_name www.acme.example acme.example;\nroot /usr/share/wordpress;"


def test_debians_layout_takes_the_configuration_by_host_name(tmp_path: Path) -> None:
    site = only(look(tmp_path, served(DEBIAN_SERVER), debian("acme.example", "decoy.example", "default")))
    assert site.name == "acme"
    assert site.config == Path("/etc/wordpress/config-acme.example.php")
    assert site.code == Path("/usr/share/wordpress")
    # www.acme.example has no file of its own, and takes that of the domain above it.
    assert site.http_host == "www.acme.example"
    assert site.uploads == Path("/var/lib/wordpress/wp-content/uploads")
    assert site.paths == (
        Path("/usr/share/wordpress"),
        Path("/var/lib/wordpress/wp-content"),
        Path("/etc/wordpress"),
        Path("/opt/plugins/bought"),
    )
    assert login(site) == ("u_acme.example", "p4ss", "acme_example", "d7_")
    # The other hosts' files lie in the same directory, and hold passwords too.
    assert {file.name for file in site.secret_files} == {
        f"config-{name}.php" for name in ("acme.example", "decoy.example", "default")
    }


def test_debians_default_configuration_is_the_last_choice(tmp_path: Path) -> None:
    site = only(look(tmp_path, served(DEBIAN_SERVER), debian("default", "example.php")))
    assert site.config == Path("/etc/wordpress/config-default.php")


def test_debians_layout_with_two_hosts_is_two_sites(tmp_path: Path) -> None:
    server = "server_name a.example b.example;\nroot /usr/share/wordpress;"
    found = look(tmp_path, served(server), debian("a.example", "b.example"))
    assert puzzles(found) == []
    assert [(site.name, site.http_host, login(site)[0]) for site in found.sites] == [
        ("a", "a.example", "u_a.example"),
        ("b", "b.example", "u_b.example"),
    ]


def test_debians_choice_can_be_given_by_the_web_server(tmp_path: Path) -> None:
    server = DEBIAN_SERVER + "\nlocation ~ \\.php$ { fastcgi_param WORDPRESS_CONFIG special; fastcgi_pass unix:/x; }"
    site = only(look(tmp_path, served(server), debian("acme.example", "special")))
    assert site.config == Path("/etc/wordpress/config-special.php")


def test_debians_choice_under_a_wildcard_is_each_that_has_a_configuration(tmp_path: Path) -> None:
    server = "server_name *.acme.example;\nroot /usr/share/wordpress;"
    found = look(tmp_path, served(server), debian("one.acme.example", "two.acme.example", "one.other.example"))
    assert [site.http_host for site in found.sites] == ["one.acme.example", "two.acme.example"]
    assert puzzles(found) == []


def test_a_host_for_which_debian_has_no_configuration_is_told(tmp_path: Path) -> None:
    found = look(tmp_path, served(DEBIAN_SERVER), debian("other.example"))
    assert found.sites == ()
    assert len(puzzles(found)) == 3
    assert "for acme.example there is neither /etc/wordpress/config-acme.example.php" in puzzles(found)[1]


def test_debians_layout_under_an_expression_only_is_told(tmp_path: Path) -> None:
    server = "server_name ~^(?<sub>.+)\\.acme\\.example$;\nroot /usr/share/wordpress;"
    found = look(tmp_path, served(server), debian("acme.example"))
    assert found.sites == ()
    assert "which configuration is taken for ~^(?<sub>.+)\\.acme\\.example$ is not known" in puzzles(found)[0]


def test_a_configuration_that_only_mentions_debians_directory_is_read_as_it_is(tmp_path: Path) -> None:
    more = (
        "// moved here from /etc/wordpress/config-acme.example.php\n"
        "define('WP_HOME', 'https://' . $_SERVER['HTTP_HOST']);\n"
    )
    files = debian("blog.example") | wordpress(ROOT) | {f"{ROOT}/wp-config.php": wp_config(user="own", more=more)}
    assert login(only(look(tmp_path, served(SERVER), files)))[0] == "own"
