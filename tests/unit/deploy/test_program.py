"""opsctl's own wheels: which are taken, and which versions stay on a host."""

import hashlib
import os
from pathlib import Path

import pytest

from opsctl.core.errors import IntegrityError, SettingsError
from opsctl.deploy.agent import program as agent
from opsctl.deploy.desired.program import locked


def wheels(directory: Path, *names: str, lock: bool = True) -> Path:
    text = ""
    for name in names:
        (directory / f"{name}-1.0-py3-none-any.whl").write_text(name)
        if lock and name != "opsctl":
            text += f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}\n"
    (directory / "requirements.lock").write_text(text)
    return directory


def test_wheels_whose_hashes_are_locked_are_taken_with_opsctls_own(tmp_path: Path) -> None:
    found = locked(wheels(tmp_path, "opsctl", "typer"))
    assert [wheel.file for wheel in found] == ["opsctl-1.0-py3-none-any.whl", "typer-1.0-py3-none-any.whl"]
    assert found[0].sha256 == hashlib.sha256(b"opsctl").hexdigest()


def test_a_wheel_that_is_not_locked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="does not have the hash of typer-1"):
        locked(wheels(tmp_path, "opsctl", "typer", lock=False))


def test_a_directory_without_a_lock_or_with_two_versions_of_opsctl_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        locked(tmp_path)
    (wheels(tmp_path, "opsctl") / "opsctl-2.0-py3-none-any.whl").write_text("two")
    with pytest.raises(SettingsError, match="one wheel of opsctl, not 2"):
        locked(tmp_path)


def test_two_older_versions_stay_and_among_them_the_one_before(tmp_path: Path) -> None:
    for age, name in enumerate(("before", "c", "b", "a", "now")):
        (tmp_path / name).mkdir()
        (tmp_path / name / agent.COMPLETE).touch()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    agent.forget_old(tmp_path, {"now", "before"})
    assert {each.name for each in tmp_path.iterdir()} == {"now", "before", "a"}
    agent.forget_old(tmp_path, {"now", None})
    assert {each.name for each in tmp_path.iterdir()} == {"now", "before", "a"}
