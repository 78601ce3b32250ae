"""Killed at any moment at all, not only at those that somebody thought of."""

import os
import random
from pathlib import Path

import pytest

from tests.integration.kills.invariants import published
from tests.integration.kills.killing import COMMANDS, Kill, all_hold, kill, points_of
from tests.integration.kills.machine import Machine

MOMENTS = 30
SEED = "OPSCTL_TEST_SEED"


def test_killed_at_thirty_random_moments(
    used_machine: Machine, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uniform over each command's measured duration; OPSCTL_TEST_SEED takes the printed seed again."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(2**32))
    monkeypatch.delenv(SEED, raising=False)  # the program would ask which of its settings that is
    print(f"{SEED}={seed}")  # noqa: T201
    chance = random.Random(seed)
    durations = {command: points_of(command, used_machine.copy(directory / command))[1] for command in COMMANDS}
    kills = [
        Kill(command, after_s=chance.uniform(0, durations[command])) for command in (list(COMMANDS) * MOMENTS)[:MOMENTS]
    ]

    before = published(used_machine)

    def hold(numbered: tuple[int, Kill]) -> None:
        kill(used_machine.copy(directory / str(numbered[0])), before, numbered[1])

    all_hold(list(enumerate(kills)), hold)
