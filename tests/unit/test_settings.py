"""Settings: found, overridden, validated with every mistake named, generated."""

import tomllib
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode, SettingsError
from opsctl.settings import Settings, example_file, load_settings

MINIMAL = """
[stack]
name = "acme"

[trust]
signer = "host@acme"
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "opsctl.toml"
    path.write_text(text)
    return path


def mistakes(directory: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(directory, text))
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.where == str(directory / "opsctl.toml")
    return caught.value.message


def test_the_generated_example_loads_and_says_only_what_has_to_be_said(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, example_file())).settings
    assert settings.stack.name == "acme"
    assert settings.require_backup().compression_level == 1
    assert settings.drill is None


def test_a_default_in_the_example_is_the_default(tmp_path: Path) -> None:
    uncommented = []
    for line in example_file().splitlines():
        bare = line.removeprefix("#")
        is_value = line.startswith("#") and not line.startswith("# ") and "…" not in line
        uncommented.append(bare if is_value else line)
    all_set = tomllib.loads("\n".join(uncommented))
    assert all_set["drill"]["scratch_dir"] == "/var/tmp"
    few_set = load_settings(written(tmp_path, example_file())).settings
    full = Settings(**all_set)
    for section in ("stack", "machine", "trust", "objectives", "database", "nginx", "backup", "binlog"):
        assert getattr(full, section) == getattr(few_set, section)


def test_the_example_describes_every_key() -> None:
    text = example_file()
    for line_number, line in enumerate(lines := text.splitlines()):
        if " = " in line and not line.startswith("# "):
            assert lines[line_number - 1].startswith("# "), f"no description above: {line}"


def test_a_misspelt_key_is_named_with_the_nearest_right_one(tmp_path: Path) -> None:
    text = MINIMAL + '[database]\nsoket = "/run/x.sock"\n'
    assert "[database] has no key 'soket'; did you mean 'socket'?" in mistakes(tmp_path, text)


def test_a_misspelt_section_is_named_with_the_nearest_right_one(tmp_path: Path) -> None:
    assert "there is no section [databse]; did you mean [database]?" in mistakes(tmp_path, MINIMAL + "[databse]\n")


def test_a_key_of_another_section_is_sent_there(tmp_path: Path) -> None:
    assert "it belongs to [machine]" in mistakes(tmp_path, MINIMAL + '[objectives]\nstate_dir = "/x"\n')


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    message = mistakes(tmp_path, '[stack]\nnmae = "x"\n[[repositories]]\nname = "A B"\n')
    assert "5 mistakes" in message
    assert "[stack] lacks 'name'" in message
    assert "[stack] has no key 'nmae'; did you mean 'name'?" in message
    assert "there is no section [trust]" in message
    assert "[repositories #1] name:" in message
    assert "[repositories #1] lacks 'path'" in message


def test_a_mistake_never_repeats_the_value(tmp_path: Path) -> None:
    key = "AGE-SECRET-KEY-1QQQQQQQQ"
    text = MINIMAL + f'[backup]\nrecipients = ["{key}"]\nkeys_recipients = ["{key}"]\n'
    assert key not in mistakes(tmp_path, text)


def test_a_syntax_error_names_the_line(tmp_path: Path) -> None:
    assert "line 2" in mistakes(tmp_path, "[stack]\nname = \n")


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSCTL_DATABASE__SOCKET", "/run/other.sock")
    loaded = load_settings(written(tmp_path, MINIMAL))
    assert loaded.settings.require_database().socket == Path("/run/other.sock")
    assert loaded.source("database", "socket") == "environment"
    assert loaded.source("stack", "name") == "file"
    assert loaded.source("stack", "root") == "default"


def test_a_misspelt_variable_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSCTL_DATBASE__SOCKET", "/run/other.sock")
    message = mistakes(tmp_path, MINIMAL)
    assert "OPSCTL_DATBASE__SOCKET names no section; did you mean OPSCTL_DATABASE?" in message


def test_a_wrong_variable_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSCTL_OBJECTIVES__RPO_MIN", "soon")
    assert "(environment: OPSCTL_OBJECTIVES__RPO_MIN)" in mistakes(tmp_path, MINIMAL)


def test_the_given_file_is_used_before_the_one_in_this_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, MINIMAL)
    other = tmp_path / "other.toml"
    other.write_text(MINIMAL.replace("acme", "other", 1))
    assert load_settings(None).settings.stack.name == "acme"
    assert load_settings(other).settings.stack.name == "other"


def test_no_settings_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "absent.toml")
    assert caught.value.hint == "make one with: opsctl init"


def test_a_section_that_a_command_needs_is_asked_for_by_name(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, MINIMAL)).settings
    for require, name in (
        (settings.require_database, "[database]"),
        (settings.require_backup, "[backup]"),
        (settings.require_drill, "[drill]"),
        (settings.require_repository, "[[repositories]]"),
    ):
        with pytest.raises(SettingsError) as caught:
            require()
        assert name in caught.value.message


def test_an_unknown_repository_is_refused_with_those_there_are(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, example_file())).settings
    with pytest.raises(SettingsError) as caught:
        settings.require_repository("offsite")
    assert caught.value.hint == "one of local: opsctl config show"
