"""Plays attacks one after the other, each on a scene of its own, and finds out what stopped or found it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pymysql

from opsctl.core.errors import OpsError
from opsctl.core.progress import Progress, Silent
from opsctl.core.result import Outcome
from opsctl.core.runner import LocalRunner
from vault.attack.scene import Scene, make_scene
from vault.probes import probes
from vault.verify.checkpoints import Custody
from vault.verify.run import Scope, reader, verify


class Defence(StrEnum):
    """What stops an attack or finds it, the strongest first."""

    REFUSED = "refused by the server"
    HARMLESS = "harmless: the row takes its place in the chain"
    CHAIN = "found by the chain alone"
    CHECKPOINT = "found by an off-box checkpoint only"
    PROBE = "found by doctor's probes"
    NONE = "undetectable without a newer off-box checkpoint"
    APPENDED = "undetectable: who owns the server can append, and cannot take it back once it is signed"


Play = Callable[[Scene], None]


@dataclass(frozen=True)
class Attack:
    """An attack, and what has to stop or find it."""

    id: str
    title: str
    by: Literal["application", "root"]
    play: Play
    expected: Defence


@dataclass(frozen=True)
class Played:
    """What came of an attack; `said` is what the server or the verification said."""

    attack: Attack
    found: Defence
    said: str

    @property
    def as_expected(self) -> bool:
        """Whether it was stopped or found by what should."""
        return self.found is self.attack.expected


def play_all(socket: Path, attacks: Sequence[Attack], progress: Progress) -> Iterator[Played]:
    """Play attacks on the server with that socket, which nobody else needs."""
    with tempfile.TemporaryDirectory(prefix="o-") as name:
        scene: Scene | None = None
        for number, attack in enumerate(attacks):
            progress.step(f"{attack.by}: {attack.title}")
            scene = scene or make_scene(socket, Path(name) / str(number))
            played = play_one(scene, attack)
            yield played
            # What was refused has changed nothing.
            scene = scene if played.found is Defence.REFUSED else None


def play_one(scene: Scene, attack: Attack) -> Played:
    """Play one attack and look what came of it."""
    before = len(scene.log()[1])
    try:
        attack.play(scene)
    except OpsError as error:
        return Played(attack, Defence.REFUSED, _said(error))
    if said := _verdict(scene, scene.blind()):
        return Played(attack, Defence.CHAIN, said)
    if said := _verdict(scene, scene.custody):
        return Played(attack, Defence.CHECKPOINT, said)
    failed = [
        result for probe in probes(scene.vault) if (result := probe.run(LocalRunner())).outcome is not Outcome.PASSED
    ]
    if failed:
        return Played(attack, Defence.PROBE, f"{failed[0].id}: {failed[0].found}")
    grown = len(scene.log()[1]) - before
    if attack.expected in (Defence.HARMLESS, Defence.APPENDED) and grown > 0:
        # What was appended is a row like any other; only people can say whether it is true.
        return Played(attack, attack.expected, f"{grown} more, and the chain is whole")
    return Played(attack, Defence.NONE, "chain, checkpoints and probes see nothing")


def _verdict(scene: Scene, custody: Custody) -> str | None:
    """What a full verification finds broken."""
    state = verify(reader(scene.vault), custody, Scope(full=True), Silent()).state
    return None if state.broken is None else state.broken.what


def _said(error: OpsError) -> str:
    """What the server said, without where it lives."""
    cause = error.__cause__
    return str(cause.args[1] if isinstance(cause, pymysql.err.MySQLError) and len(cause.args) > 1 else error.message)
