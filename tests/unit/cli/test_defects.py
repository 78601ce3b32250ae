"""What happens before a command begins has an exit code and two lines as well."""

import pytest

from opsctl.cli import main


def test_a_command_that_cannot_be_loaded_is_a_defect_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(main.Root.summaries, "broken", "A command whose module is not there.")
    assert main.run(["broken"]) == 1
    err = capsys.readouterr().err
    assert "a defect in opsctl: ModuleNotFoundError" in err
    assert "Traceback" not in err
    assert main.run(["broken", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
