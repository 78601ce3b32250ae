"""The attacks of `vault attack-test`: each ends as it should, and one that does not is told."""

import tempfile
from pathlib import Path

import pytest

from opsctl.cli.main import run as opsctl
from opsctl.core.progress import Silent
from tests.support.mariadb import running_server
from vault.attack import run
from vault.attack.play import Attack, Defence, Played, play_all
from vault.attack.run import all_attacks, attack_test
from vault.attack.scene import Scene


@pytest.mark.timeout(900)
def test_every_attack_is_stopped_or_found_by_what_should() -> None:
    played = attack_test(Silent())
    assert len(played) == len({each.attack.id for each in played}) == len(all_attacks())
    unexpected = [(each.attack.id, each.found, each.said) for each in played if not each.as_expected]
    assert unexpected == []
    assert all(each.said for each in played)


def test_a_defence_that_is_gone_is_told() -> None:
    """Broken on purpose: an account that may delete."""

    def disarmed(scene: Scene) -> None:
        with scene.root() as connection, connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER audit_delete")
            cursor.execute(f"GRANT DELETE ON audit TO {scene.vault.settings.app_user}@localhost")
        with scene.application() as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM audit WHERE seq = 3")

    attack = Attack("app.delete", "delete", "application", disarmed, Defence.REFUSED)
    with running_server() as server:
        (played,) = play_all(server.socket, [attack], Silent())
    assert (played.found, played.as_expected) == (Defence.CHAIN, False)


def test_an_unexpected_end_is_exit_4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    attack = Attack("x.y", "a title", "root", lambda scene: None, Defence.CHAIN)
    monkeypatch.setattr("opsctl.cli.vault.attack_test", lambda progress: (Played(attack, Defence.NONE, "nothing"),))
    assert opsctl(["vault", "attack-test"]) == 4
    assert "did not end as they should" in capsys.readouterr().out


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="o-") as directory:
        Path(directory).chmod(0o711)
        monkeypatch.setattr("tempfile.tempdir", directory)
        monkeypatch.setattr(run, "all_attacks", lambda: ())
        assert attack_test(Silent()) == ()
        assert list(Path(directory).iterdir()) == []
