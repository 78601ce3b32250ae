"""PHP configuration is read without running it: what is plain is understood, the rest is said not to be."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.php import PhpConfig, Unknown, read_config
from tests.unit.stack.php_samples import SAMPLES, Sample
from tests.unit.stack.trees import make_tree

MAIN = Path("/srv/site/config.php")


def read(root: Path, php: str, beside: dict[str, str] | None = None, **more: object) -> PhpConfig:
    make_tree(root, {str(MAIN): php, **{f"/srv/site/{name}": text for name, text in (beside or {}).items()}})
    return read_config(HostFiles(root), MAIN, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_is_plain_is_understood_and_nothing_is_guessed(sample: Sample, tmp_path: Path) -> None:
    config = read(tmp_path, sample.php, sample.beside)
    for name, value in sample.constants.items():
        found = config.constant(name)
        assert found is not None, name
        assert (found.value, type(found.value)) == (value, type(value))
    for name, value in sample.variables.items():
        assert config.variables[name].value == value
    for name in sample.not_claimed:
        found = config.constant(name)
        assert isinstance(found.value, Unknown) if found else config.opaque, name
    for name in sample.absent:
        assert config.constant(name) is None, name


@pytest.mark.parametrize(
    "php",
    [
        "<?php define('A', 'it",
        '<?php define("A", "it',
        "<?php /* define('A', 'x');",
        "<?php define('A', <<<EOT\nx\n",
        "<?php if (true) { define('A', 'x');",
    ],
)
def test_a_file_that_ends_in_the_middle_is_no_configuration(php: str, tmp_path: Path) -> None:
    config = read(tmp_path, php)
    assert config.text("A") is None
    assert "is not valid PHP" in str(config.opaque[0])


def test_where_a_value_is_set_is_known(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "<?php\nrequire 'db.php';\n$config['sess'] = 'x';\n",
        {"db.php": "<?php\n\n\ndefine('A', 'x');\n\n$config['key'] =\n 'k';\n"},
    )
    constant, entry = config.constant("A"), config.entry("config", "key")
    assert constant is not None
    assert (constant.file, constant.line) == (Path("/srv/site/db.php"), 4)
    assert entry is not None
    assert (entry.value, entry.file, entry.line) == ("k", Path("/srv/site/db.php"), 6)
    assert config.files == (MAIN, Path("/srv/site/db.php"))


def test_entries_are_found_by_their_keys_and_what_may_be_there_is_unknown(tmp_path: Path) -> None:
    config = read(tmp_path, "<?php $db['default'] = ['password' => 'p', 'x' => getenv('X')]; $o = f(); $o['a'] = 'b';")
    password = config.entry("db", "default", "password")
    assert password is not None
    assert password.value == "p"
    assert config.entry("db", "default", "none") is None
    assert config.entry("db", "other", "password") is None
    computed, other, set_later = config.entry("db", "default", "x"), config.entry("o", "z"), config.entry("o", "a")
    assert computed is not None
    assert isinstance(computed.value, Unknown)
    assert other is not None
    assert isinstance(other.value, Unknown)
    assert set_later is not None
    assert set_later.value == "b"


def test_what_the_server_holds_decides_where_it_is_known(tmp_path: Path) -> None:
    php = "<?php define('A', $_SERVER['HTTP_HOST'] === 'a.example' ? 'first' : 'second');"
    assert read(tmp_path, php, server={"HTTP_HOST": "a.example"}).text("A") == "first"
    assert read(tmp_path, php, server={"HTTP_HOST": "b.example"}).text("A") == "second"
    assert read(tmp_path, php).text("A") is None


def test_constants_that_the_site_defines_before_are_known(tmp_path: Path) -> None:
    php = "<?php defined('BASEPATH') or exit('No direct script access allowed'); define('A', BASEPATH . 'x');"
    assert read(tmp_path, php, constants={"BASEPATH": "/srv/system/"}).text("A") == "/srv/system/x"
    assert read(tmp_path, php).constant("A") is None
    unknown = read(tmp_path, php, constants={"BASEPATH": None}).constant("A")
    assert unknown is not None
    assert isinstance(unknown.value, Unknown)


def test_properties_of_a_class_have_the_values_they_begin_with(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """<?php
namespace Config;
use CodeIgniter\\Config\\BaseConfig;
final class Encryption extends BaseConfig
{
    /** public string $key = 'decoy'; */
    public string $key = 'k\\'1';
    public ?array $default = ['password' => 'p', 'port' => 3306];
    protected $computed = self::OTHER;
    const OTHER = 'o';
    public function __construct(private int $x = 1) { $this->key = 'other'; }
}
""",
    )
    key, default = config.classes["Encryption.key"], config.classes["Encryption.default"]
    assert (key.value, key.line) == ("k'1", 7)
    assert "password" in default.value.items  # type: ignore[union-attr]
    assert isinstance(config.classes["Encryption.computed"].value, Unknown)


def test_a_required_file_that_is_missing_or_computed_is_told_with_its_line(tmp_path: Path) -> None:
    config = read(tmp_path, "<?php\nrequire '/gone.php';\nrequire getenv('X');\n@include 'optional.php';\n")
    assert [str(place) for place in config.opaque] == [
        "/srv/site/config.php, line 2: requires /gone.php, which is not there",
        "/srv/site/config.php, line 3: requires a file whose name is not understood",
    ]


def test_files_that_require_each_other_come_to_an_end(tmp_path: Path) -> None:
    config = read(tmp_path, "<?php require 'b.php'; define('A', 'x');", {"b.php": "<?php require 'config.php';"})
    assert "too deep" in str(config.opaque[0])


def test_wordpress_itself_is_not_followed(tmp_path: Path) -> None:
    php = "<?php define('A', 'x'); require_once ABSPATH . 'wp-settings.php';"
    config = read(tmp_path, php, {"wp-settings.php": "<?php define('B', 'y');"}, constants={"ABSPATH": "/srv/site/"})
    assert (config.text("A"), config.constant("B"), config.opaque) == ("x", None, ())


def test_dir_is_the_real_directory_as_in_php(tmp_path: Path) -> None:
    make_tree(
        tmp_path,
        {
            "/srv/releases/7/config.php": "<?php define('A', __DIR__); require __DIR__ . '/../db.php';",
            "/srv/releases/db.php": "<?php define('B', 'behind the link');",
            "/srv/db.php": "<?php define('B', 'beside the link');",
            "/srv/current": "link:/srv/releases/7",
        },
    )
    config = read_config(HostFiles(tmp_path), Path("/srv/current/config.php"))
    assert (config.text("A"), config.text("B")) == ("/srv/releases/7", "behind the link")


def test_no_secret_is_shown_by_what_was_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "<?php define('A', 'S3NTINEL'); $x = ['S3NTINEL' => 'S3NTINEL']; define('B', f('S3NTINEL'));"
        " define('C', new S('S3NTINEL')); define('D', \"{$x['S3NTINEL']}\"); require 'S3' . f('NTINEL');",
    )
    assert len(config.constants) == 4
    assert "S3NTINEL" not in repr(config)
    assert "S3NTINEL" not in "".join(str(place) for place in config.opaque)


def test_bytes_that_are_no_utf8_come_through(tmp_path: Path) -> None:
    read(tmp_path, "")
    (tmp_path / "srv/site/config.php").write_bytes(b"<?php define('A', 'caf\xe9');")
    found = read_config(HostFiles(tmp_path), MAIN).text("A")
    assert found is not None
    assert found.encode(errors="surrogateescape") == b"caf\xe9"


@pytest.mark.parametrize("php", ["(" * 5000, "if (1) { " * 5000, "define('A', 'x');\n$x = 'a'" + " . 'a'" * 5000 + ";"])
def test_nesting_without_end_is_told_and_nothing_is_claimed(php: str, tmp_path: Path) -> None:
    config = read(tmp_path, "<?php " + php)
    assert config.opaque
    assert config.text("A") is None


@given(st.text(alphabet="<?php $a=;'\"\\{}[]()/*#\n.,define('A','x')if elsereturn<<<EOT!&|", max_size=80))
def test_whatever_the_text_reading_comes_to_an_end(text: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        read(Path(root), "<?php " + text)
