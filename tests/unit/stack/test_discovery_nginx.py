"""The web server is found with all it answers for, however its configuration is written."""

from pathlib import Path

from tests.unit.stack.looking import look, only, puzzles
from tests.unit.stack.trees import make_tree, served

PAGE = {"/srv/www/index.html": "<h1>"}
LIVE = {
    f"/etc/letsencrypt/live/a.example/{kind}.pem": f"link:../../archive/a.example/{kind}1.pem"
    for kind in ("fullchain", "privkey")
}
ARCHIVE = {f"/etc/letsencrypt/archive/a.example/{kind}1.pem": "pem" for kind in ("fullchain", "privkey")}


def test_names_over_several_lines_wildcards_and_expressions(tmp_path: Path) -> None:
    server = (
        "server_name a.example\n\twww.a.example # not.this.example\n\t*.a.example\n"
        '\t"~^(?<user>.+)\\.a\\.example$" .b.example _ "";\n# server_name decoy.example;\nroot /srv/www;'
    )
    found = look(tmp_path, served(server), PAGE)
    site = only(found)
    assert found.nginx is not None
    names = ("a.example", "www.a.example", "*.a.example", "~^(?<user>.+)\\.a\\.example$", ".b.example", "_")
    assert found.nginx.server_names == names == site.server_names
    assert (site.name, site.kind, site.paths, site.http_host) == ("a", "static", (Path("/srv/www"),), None)


def test_certificates_in_included_snippets_and_certbots_links(tmp_path: Path) -> None:
    snippets = {
        "/etc/nginx/snippets/tls.conf": "ssl_certificate /etc/letsencrypt/live/a.example/fullchain.pem;\n"
        "ssl_certificate_key /etc/letsencrypt/live/a.example/privkey.pem;\n# ssl_certificate_key /decoy.pem;\n",
        "/etc/nginx/snippets/decoy.conf": "ssl_certificate_key /decoy.pem;\n",
    }
    server = "server_name a.example;\nroot /srv/www;\ninclude snippets/tls.conf;"
    found = look(tmp_path, served(server), PAGE, snippets, LIVE, ARCHIVE)
    assert puzzles(found) == []
    assert found.nginx is not None
    assert found.nginx.paths == (Path("/etc/nginx"), Path("/etc/letsencrypt"))
    assert found.nginx.private_keys == (Path("/etc/letsencrypt/live/a.example/privkey.pem"),)
    assert found.nginx.certificates == (Path("/etc/letsencrypt/live/a.example/fullchain.pem"),)
    assert Path("/etc/nginx/snippets/tls.conf") in found.nginx.files
    assert Path("/etc/nginx/snippets/decoy.conf") not in found.nginx.files


def test_a_certificate_that_is_gone_is_told(tmp_path: Path) -> None:
    server = "server_name a.example;\nroot /srv/www;\nssl_certificate_key /etc/letsencrypt/live/a.example/privkey.pem;"
    found = look(tmp_path, served(server), PAGE, LIVE)
    expected = "/etc/letsencrypt/live/a.example/privkey.pem: nginx's configuration names this file, and it is not there"
    assert puzzles(found) == [expected]


def test_a_dangling_link_in_sites_enabled_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    dangling = {"/etc/nginx/sites-enabled/00-gone": "link:/etc/nginx/sites-available/gone"}
    found = look(tmp_path, served("server_name a.example;\nroot /srv/www;"), PAGE, dangling)
    assert [site.name for site in found.sites] == ["a"]
    (told,) = puzzles(found)
    assert "/etc/nginx/sites-enabled/00-gone" in told


def test_a_file_that_does_not_parse_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    broken = {"/etc/nginx/conf.d/broken.conf": "server {\nserver_name x.example;\n"}
    found = look(tmp_path, served("server_name a.example;\nroot /srv/www;"), PAGE, broken)
    assert [site.name for site in found.sites] == ["a"]
    (told,) = puzzles(found)
    assert "/etc/nginx/conf.d/broken.conf" in told


def test_sites_that_are_available_but_not_enabled_are_none(tmp_path: Path) -> None:
    files = {"/etc/nginx/sites-available/off": "server { server_name off.example; root /srv/off; }", "/srv/off/x": "x"}
    found = look(tmp_path, served("server_name a.example;\nroot /srv/www;"), PAGE, files)
    assert only(found).name == "a"
    assert found.nginx is not None
    assert found.nginx.server_names == ("a.example",)


def test_a_root_with_a_variable_is_told_and_not_guessed(tmp_path: Path) -> None:
    server = "server_name a.example;\nroot /srv/$host/web;"
    found = look(tmp_path, served(server), {"/srv/a.example/web/index.html": "x"})
    assert found.sites == ()
    told = "/etc/nginx/sites-enabled/0:3: a.example: the root /srv/$host/web is known only per request"
    assert puzzles(found) == [told]


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = look(tmp_path, served("server_name a.example;\nroot /srv/gone;"))
    assert puzzles(found) == ["/etc/nginx/sites-enabled/0:3: a.example: /srv/gone is not there"]


def test_a_server_that_only_redirects_has_no_site(tmp_path: Path) -> None:
    redirect = "server_name a.example;\nroot /srv/decoy;\nreturn 301 https://$host$request_uri;"
    found = look(tmp_path, served(redirect, "server_name a.example;\nroot /srv/www;"), PAGE, {"/srv/decoy/x.html": "x"})
    assert only(found).paths == (Path("/srv/www"),)


def test_a_root_of_the_whole_server_holds_where_a_site_has_none(tmp_path: Path) -> None:
    files = served("server_name a.example;", more="root /srv/www;")
    assert only(look(tmp_path, files, PAGE)).paths == (Path("/srv/www"),)
    inside = served("server_name b.example;\nroot html;") | {"/etc/nginx/html/index.html": "x"}
    assert only(look(tmp_path / "b", inside)).paths == (Path("/etc/nginx/html"),)


def test_roots_and_aliases_of_locations(tmp_path: Path) -> None:
    server = (
        "server_name a.example;\nroot /srv/www;\n"
        "location /inside/ { alias /srv/www/more/; }\n"
        "location /docs/ { location /docs/x/ { root /srv/docs; } }\n"
        "location ^~ /.well-known/acme-challenge/ { root /srv/challenges; }\n"
        "location = /50x.html { root /srv/errors; }\n"
        "location ~ ^/u/(.*)$ { alias /srv/www/u/$1; }\n"
    )
    more = {f"/srv/{name}/x.html": "x" for name in ("docs", "challenges", "errors", "www/more", "www/u")}
    found = look(tmp_path, served(server), PAGE, more)
    assert puzzles(found) == []
    assert [(site.name, site.paths) for site in found.sites] == [
        ("a", (Path("/srv/www"),)),
        ("a-docs", (Path("/srv/docs"),)),
    ]


def test_the_pages_of_packages_are_no_site(tmp_path: Path) -> None:
    default = "listen 80 default_server;\nserver_name _;\nroot /var/www/html;"
    packaged = "server_name x.example;\nroot /usr/share/nginx/html;"
    pages = {"/var/www/html/index.nginx-debian.html": "Welcome", "/usr/share/nginx/html/index.html": "Welcome"}
    found = look(tmp_path, served(default, packaged), pages)
    assert (found.sites, puzzles(found)) == ((), [])
    own = look(tmp_path / "own", served(default), pages, {"/var/www/html/own.html": "x"})
    assert only(own).paths == (Path("/var/www/html"),)


def test_php_of_an_unknown_kind_is_told_and_not_taken(tmp_path: Path) -> None:
    files = {"/srv/app/index.html": "x", "/srv/app/api/index.php": "<?php $password = 'x';"}
    found = look(tmp_path, served("server_name app.example;\nroot /srv/app;"), files)
    assert found.sites == ()
    assert puzzles(found) == ["/srv/app: app.example: PHP of a kind that is not understood (/srv/app/api/index.php)"]


def test_names_of_sites_are_short_their_own_and_always_the_same(tmp_path: Path) -> None:
    hosts = ("www.acme.example", "acme.example.org", "nginx.example", "Shop_1.example", "_")
    servers = [f"server_name {host};\nroot /srv/{number}/public;" for number, host in enumerate(hosts)]
    pages = {f"/srv/{number}/public/index.html": "x" for number in range(len(hosts))}
    found = look(tmp_path, served(*servers), pages)
    assert puzzles(found) == []
    names = [site.name for site in found.sites]
    assert names == ["acme-example", "acme-example-org", "nginx-example", "shop-1", "4"]
    assert [site.section().name for site in found.sites] == names
    assert found == look(tmp_path)


def test_two_sites_of_one_host_name_are_numbered(tmp_path: Path) -> None:
    servers = [f"listen {port};\nserver_name a.example;\nroot /srv/{port};" for port in (80, 81, 82)]
    found = look(tmp_path, served(*servers), {f"/srv/{port}/index.html": "x" for port in (80, 81, 82)})
    assert [site.name for site in found.sites] == ["a-example", "a-example-2", "a-example-3"]


def test_a_static_site_keeps_its_secrets_apart(tmp_path: Path) -> None:
    files = {"/srv/www/.htpasswd": "u:x", "/srv/www/.env.production": "K=x", "/srv/www/data/config.json": '{"a": 1}'}
    site = only(look(tmp_path, served("server_name a.example;\nroot /srv/www;"), PAGE, files))
    assert site.secret_files == (Path("/srv/www/.env.production"), Path("/srv/www/.htpasswd"))


def test_pools_of_php_say_nothing_about_where_sites_lie(tmp_path: Path) -> None:
    pool = {"/etc/php/8.2/fpm/pool.d/www.conf": "[www]\nchroot = /jail\nphp_admin_value[open_basedir] = /decoy\n"}
    files = served("server_name a.example;\nroot /srv/www;"), PAGE
    assert look(make_tree(tmp_path / "a", pool), *files).sites == look(tmp_path / "b", *files).sites


def test_another_web_server_is_told(tmp_path: Path) -> None:
    found = look(tmp_path, {"/etc/mysql/my.cnf": "[mysqld]\n", "/etc/apache2/sites-enabled/x.conf": "<VirtualHost>"})
    assert (found.nginx, found.sites) == (None, ())
    assert [told.partition(":")[0] for told in puzzles(found)] == ["/etc/apache2/sites-enabled", "/etc/nginx"]


def test_an_empty_host_has_nothing(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert (found.nginx, found.mariadb, found.sites) == (None, None, ())
    assert len(found.not_understood) == 2
