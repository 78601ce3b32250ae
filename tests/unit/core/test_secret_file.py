"""Secrets in files: read only where nobody else can read them."""

from pathlib import Path

import pytest

from opsctl.core.errors import AuthError
from opsctl.core.secret_file import read_secret

SECRET = "ntfys://:token@ntfy.example/topic"


def secret_file(directory: Path, text: str = SECRET + "\n", mode: int = 0o600) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / "operator.url"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_its_line_is_the_secret(tmp_path: Path) -> None:
    assert read_secret(secret_file(tmp_path)).get_secret_value() == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_one_that_others_may_read_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, mode=mode)
    with pytest.raises(AuthError, match=f"mode {mode:04o}") as caught:
        read_secret(path)
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_anything_but_one_line_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(AuthError, match="one line") as caught:
        read_secret(secret_file(tmp_path, text))
    assert "two" not in str(caught.value)


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="No such file") as caught:
        read_secret(tmp_path / "absent")
    assert caught.value.where == str(tmp_path / "absent")


def test_what_systemd_loaded_for_the_unit_is_taken_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = secret_file(tmp_path / "credentials", "loaded\n", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(loaded.parent))
    assert read_secret(tmp_path / "not-for-me" / loaded.name).get_secret_value() == "loaded"
    assert read_secret(secret_file(tmp_path / "other").rename(tmp_path / "x.url")).get_secret_value() == SECRET
