"""CodeIgniter 3 and 4 are found with the file that holds the key, whichever of their forms it has."""

from pathlib import Path

import pytest

from tests.unit.stack.looking import login, look, only, puzzles
from tests.unit.stack.trees import php_string, served

BASE = "<?php\ndefined('BASEPATH') or exit('No direct script access allowed');\n"
SERVER = "server_name crm.example;\nroot /srv/crm;"
# As CodeIgniter's own goes about it.
INDEX = """<?php
define('ENVIRONMENT', isset($_SERVER['CI_ENV']) ? $_SERVER['CI_ENV'] : 'development');
switch (ENVIRONMENT)
{
	case 'development':
		error_reporting(-1);
		ini_set('display_errors', 1);
	break;
	case 'production':
		ini_set('display_errors', 0);
		error_reporting(E_ALL & ~E_NOTICE);
	break;
	default:
		header('HTTP/1.1 503 Service Unavailable.', TRUE, 503);
		exit(1);
}
	$system_path = 'system';
	$application_folder = 'FOLDER';
	$view_folder = '';
	if (defined('STDIN'))
	{
		chdir(dirname(__FILE__));
	}
	if (($_temp = realpath($system_path)) !== FALSE)
	{
		$system_path = $_temp.DIRECTORY_SEPARATOR;
	}
	else
	{
		$system_path = strtr(rtrim($system_path, '/\\\\'), '/\\\\', '//').DIRECTORY_SEPARATOR;
	}
	if ( ! is_dir($system_path))
	{
		header('HTTP/1.1 503 Service Unavailable.', TRUE, 503);
		exit(3);
	}
	define('SELF', pathinfo(__FILE__, PATHINFO_BASENAME));
	define('BASEPATH', $system_path);
	define('FCPATH', dirname(__FILE__).DIRECTORY_SEPARATOR);
	define('SYSDIR', basename(BASEPATH));
	if (is_dir($application_folder))
	{
		if (($_temp = realpath($application_folder)) !== FALSE)
		{
			$application_folder = $_temp;
		}
	}
	elseif (is_dir(BASEPATH.$application_folder.DIRECTORY_SEPARATOR))
	{
		$application_folder = BASEPATH.strtr(trim($application_folder, '/\\\\'), '/\\\\', '//');
	}
	else
	{
		exit(3);
	}
	define('APPPATH', $application_folder.DIRECTORY_SEPARATOR);
require_once BASEPATH.'core/CodeIgniter.php';
"""


def database(password: str = "p4ss", more: str = "") -> str:
    return (
        f"{BASE}$active_group = 'default';\n$db['decoy'] = array('username' => 'decoy', 'password' => 'decoy');\n"
        "$db['default'] = array(\n\t'dsn' => '',\n\t'hostname' => 'localhost',\n\t'username' => 'crm',\n"
        f"\t'password' => {php_string(password)},\n\t'database' => 'crm',\n\t'dbprefix' => 'tbl',\n);\n{more}"
    )


def config(key: str = "0123456789abcdef") -> str:
    return (
        f"{BASE}$config['base_url'] = '';\n$config['encryption_key'] = {php_string(key)};\n"
        "$config['csrf_token_name'] = 'csrf_test_name';\n$config['cookie_prefix'] = '';\n"
    )


def three(root: str = "/srv/crm", *, folder: str = "application", **files: str) -> dict[str, str]:
    directory = f"{root}/{folder}/config"
    named = {
        f"{directory}/{name.replace('_', '-') if name == 'app_config' else name}.php": text
        for name, text in files.items()
    }
    index = INDEX.replace("FOLDER", folder)
    return {f"{root}/index.php": index, f"{root}/system/core/CodeIgniter.php": "<?php", **named}


def test_three_with_its_own_files(tmp_path: Path) -> None:
    site = only(look(tmp_path, served(SERVER), three(config=config(), database=database("it's \\ $0"))))
    assert (site.kind, site.name, site.paths) == ("codeigniter", "crm", (Path("/srv/crm"),))
    assert site.config == Path("/srv/crm/application/config/config.php")
    assert {file.name for file in site.secret_files} == {"config.php", "database.php"}
    assert login(site) == ("crm", "it's \\ $0", "crm", "tbl")


def test_three_with_the_customers_values_in_app_config(tmp_path: Path) -> None:
    app = f"{BASE}define('APP_ENC_KEY', 'k');\ndefine('APP_DB_PASSWORD', 'p4ss');\ndefine('APP_DB_USERNAME', 'u');\n"
    by_constants = (
        database().replace("'p4ss'", "APP_DB_PASSWORD").replace("'crm',\n\t'password", "APP_DB_USERNAME,\n\t'password")
    )
    by_constants = by_constants.replace("$db['decoy'] = array('username' => 'decoy', 'password' => 'decoy');\n", "")
    keyed = config().replace("'0123456789abcdef'", "APP_ENC_KEY")
    site = only(look(tmp_path, served(SERVER), three(app_config=app, config=keyed, database=by_constants)))
    assert site.config == Path("/srv/crm/application/config/app-config.php")
    assert site.secret_files == (site.config,)
    assert login(site)[:2] == ("u", "p4ss")


def test_samples_backups_and_comments_are_decoys(tmp_path: Path) -> None:
    files = three(config=config(""), database="<?php /* " + database()[5:].replace("*/", "") + " */\n" + database()[5:])
    directory = "/srv/crm/application/config"
    files[f"{directory}/app-config-sample.php"] = f"{BASE}define('APP_ENC_KEY', 'decoy');"
    files[f"{directory}/database.php.bak"] = database("old")
    site = only(look(tmp_path, served(SERVER), files))
    # No key is set: the file with the password is what matters.
    assert site.config == Path(f"{directory}/database.php")
    assert {file.name for file in site.secret_files} == {"database.php", "database.php.bak"}


def test_three_with_its_application_beside_the_web_root(tmp_path: Path) -> None:
    files = three("/srv/crm/public", folder="../application", config=config(), database=database())
    files = {path.replace("public/../", ""): text for path, text in files.items()}
    files["/srv/crm/uploads/a.pdf"] = "x"
    files["/srv/crm/application/cache/x"] = "x"
    site = only(look(tmp_path, served("server_name crm.example;\nroot /srv/crm/public;"), files))
    assert site.paths == (Path("/srv/crm"),)
    assert site.config == Path("/srv/crm/application/config/config.php")
    assert site.uploads == Path("/srv/crm/uploads")
    assert site.exclude == ("/srv/crm/application/cache/*",)


def test_three_whose_directories_lie_among_other_sites_takes_its_own_only(tmp_path: Path) -> None:
    files = three("/srv/public", folder="../application", config=config(), database=database())
    files = {path.replace("public/../", ""): text for path, text in files.items()} | {"/srv/other/x": "x"}
    site = only(look(tmp_path, served("server_name crm.example;\nroot /srv/public;"), files))
    assert site.paths == (Path("/srv/public"), Path("/srv/application"))


def test_three_whose_environment_decides_is_told_unless_the_web_server_says_it(tmp_path: Path) -> None:
    files = three(config=config(), database=database("plain"))
    files["/srv/crm/application/config/production/database.php"] = database("of production")
    found = look(tmp_path / "a", served(SERVER), files)
    assert "which environment's files count is not known: production" in puzzles(found)[0]
    told = SERVER + "\nlocation ~ \\.php$ { fastcgi_param CI_ENV production; fastcgi_pass unix:/x; }"
    assert login(only(look(tmp_path / "b", served(told), files)))[1] == "of production"
    fixed = {
        **files,
        "/srv/crm/index.php": "<?php define('ENVIRONMENT', 'testing'); $application_folder = 'application';",
    }
    assert login(only(look(tmp_path / "c", served(SERVER), fixed)))[1] == "plain"


def test_three_with_a_computed_password_is_told_without_it(tmp_path: Path) -> None:
    computed = database().replace("'p4ss'", "strrev('S3NTINEL')").replace("'password' => 'decoy'", "")
    found = look(tmp_path, served(SERVER), three(config=config(), database=computed))
    (told,) = puzzles(found)
    assert "the database's password cannot be told without running PHP" in told
    assert "strrev()" in told
    assert "S3NTINEL" not in repr(found)
    assert found.sites[0].login is None


def test_several_directories_of_uploads_are_told(tmp_path: Path) -> None:
    files = three(config=config(), database=database()) | {"/srv/crm/uploads/a": "x", "/srv/crm/assets/uploads/b": "x"}
    found = look(tmp_path, served(SERVER), files)
    assert found.sites[0].uploads == Path("/srv/crm/uploads")
    assert "several directories look like uploads" in puzzles(found)[0]


def test_a_directory_called_application_is_not_enough(tmp_path: Path) -> None:
    files = {"/srv/crm/application/config/readme.txt": "x", "/srv/crm/index.html": "x"}
    assert only(look(tmp_path, served(SERVER), files)).kind == "static"


# CodeIgniter 4

FOUR_DATABASE = """<?php

namespace Config;

use CodeIgniter\\Database\\Config;

class Database extends Config
{
    public string $defaultGroup = 'default';

    public array $default = [
        'DSN'      => '',
        'hostname' => 'localhost',
        'username' => 'PLAIN_USER',
        'password' => 'PLAIN_PASSWORD',
        'database' => 'shop',
        'DBPrefix' => 'ci_',
        'port'     => 3306,
    ];

    public array $tests = ['hostname' => '127.0.0.1', 'username' => 'decoy', 'password' => 'decoy'];

    public function __construct()
    {
        parent::__construct();
        if (ENVIRONMENT === 'testing') {
            $this->defaultGroup = 'tests';
        }
    }
}
"""
FOUR = {
    "/srv/shop/public/index.php": "<?php require FCPATH . '../app/Config/Paths.php';",
    "/srv/shop/app/Config/App.php": "<?php\nnamespace Config;\nclass App { public string $baseURL = ''; }",
    "/srv/shop/app/Config/Database.php": FOUR_DATABASE.replace("PLAIN_USER", "").replace("PLAIN_PASSWORD", ""),
    "/srv/shop/app/Config/Encryption.php": "<?php\nnamespace Config;\nclass Encryption { public string $key = 'KEY'; }",
    "/srv/shop/env": "# database.default.password = decoy\n",
    "/srv/shop/writable/cache/x": "x",
    "/srv/shop/writable/uploads/a.jpg": "x",
}
FOUR_SERVER = "server_name shop.example;\nroot /srv/shop/public;"
ENV = (
    "# database.default.password = decoy\nCI_ENVIRONMENT = production\ndatabase.default.username = env_user\n"
    'database.default.password = "p # \\"4ss"\nencryption.key = hex2bin:00ff\ndatabase.tests.username = decoy\n'
)


def test_four_with_its_values_in_env(tmp_path: Path) -> None:
    files = {**FOUR, "/srv/shop/.env": ENV}
    files["/srv/shop/app/Config/Encryption.php"] = FOUR["/srv/shop/app/Config/Encryption.php"].replace("KEY", "")
    site = only(look(tmp_path, served(FOUR_SERVER), files))
    assert (site.kind, site.paths, site.config) == ("codeigniter", (Path("/srv/shop"),), Path("/srv/shop/.env"))
    assert login(site) == ("env_user", 'p # "4ss', "shop", "ci_")
    assert site.uploads == Path("/srv/shop/writable/uploads")
    assert site.exclude == ("/srv/shop/writable/cache/*",)
    assert Path("/srv/shop/.env") in site.secret_files


def test_four_with_its_values_in_its_classes(tmp_path: Path) -> None:
    plain = FOUR_DATABASE.replace("PLAIN_USER", "class_user").replace("PLAIN_PASSWORD", "class_password")
    site = only(look(tmp_path, served(FOUR_SERVER), {**FOUR, "/srv/shop/app/Config/Database.php": plain}))
    assert site.config == Path("/srv/shop/app/Config/Encryption.php")
    assert login(site)[:2] == ("class_user", "class_password")
    assert {file.name for file in site.secret_files} == {"Database.php", "Encryption.php"}


@pytest.mark.parametrize("line", ["database.default.password = ${OTHER}", "#database.default.password = x"])
def test_four_without_a_password_that_is_understood_is_told(line: str, tmp_path: Path) -> None:
    env = f"{line}\nencryption.key = k\n"
    text = FOUR_DATABASE.replace("'password' => 'PLAIN_PASSWORD',", "", 1).replace("PLAIN_USER", "u")
    found = look(
        tmp_path, served(FOUR_SERVER), {**FOUR, "/srv/shop/.env": env, "/srv/shop/app/Config/Database.php": text}
    )
    assert "the database's password cannot be told" in puzzles(found)[0]
    assert found.sites[0].login is None
