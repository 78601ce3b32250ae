"""The attack test: every attack against a scratch server, and whether each was stopped or found by what should."""

from opsctl.core.progress import Progress
from vault.attack import by_application, by_root
from vault.attack.play import Attack, Played, play_all
from vault.attack.scratch import scratch_server


def all_attacks() -> tuple[Attack, ...]:
    """Every attack, the application's first."""
    return (*by_application.attacks(), *by_root.attacks())


def attack_test(progress: Progress) -> tuple[Played, ...]:
    """Play them all. The real database is not touched: the server is made for this and gone afterwards."""
    progress.step("starting a scratch server")
    with scratch_server() as socket:
        return tuple(play_all(socket, all_attacks(), progress))
