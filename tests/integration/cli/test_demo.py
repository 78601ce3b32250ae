"""`opsctl demo`: everything of it real, nothing left unless asked for."""

import json
from pathlib import Path

import pytest

from opsctl.cli.main import run
from opsctl.cli.views.demo import COMMANDS
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.progress import Silent
from opsctl.overview.demo.size import SMALL
from opsctl.overview.demo.stack import DemoStack
from opsctl.overview.demo_run import run_demo


def test_a_kept_demo_passes_all_checks_and_its_commands_work(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = directory / "demo"
    assert run(["demo", "--keep", "--dir", str(place), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [result["outcome"] for result in document["drill"]["body"]["results"]] == ["passed"] * 8
    assert document["drill"]["body"]["recovery_point"]["database_s"] > 0
    monkeypatch.chdir(Path(document["config"]).parent)
    try:
        for words in (*COMMANDS, "opsctl drill list", "opsctl backup layers", "opsctl doctor"):
            assert run(words.split()[1:]) == 0, words
        out = capsys.readouterr().out
        assert max(len(line) for line in out.splitlines()) <= 80
        assert "a lost host loses everything" in out
    finally:
        assert run(["demo", "--remove", str(place)]) == 0
    assert not place.exists()


def test_a_demo_leaves_nothing(directory: Path) -> None:
    demo = run_demo(directory=directory / "demo", keep=False, progress=Silent(), size=SMALL)
    assert demo.drill.body.passed == 8
    assert list(directory.iterdir()) == []


def test_a_demo_that_ends_badly_leaves_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(stack: DemoStack) -> None:
        raise OpsError("the work was interrupted")

    monkeypatch.setattr(DemoStack, "write_more", fail)
    with pytest.raises(OpsError, match="interrupted"):
        run_demo(directory=directory / "demo", keep=True, progress=Silent(), size=SMALL)
    assert list(directory.iterdir()) == []


def test_a_directory_with_something_in_it_is_refused_and_kept(directory: Path) -> None:
    (directory / "precious").write_text("x")
    with pytest.raises(SettingsError, match="not empty"):
        run_demo(directory=directory, keep=False, progress=Silent(), size=SMALL)
    assert (directory / "precious").exists()
