"""Faults in sets of files that were stored in increments: one is missing, left out, or put onto another archive."""

from functools import partial

from backup.increments import archives_of_set
from backup.manifest import Artefact
from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import Fault, InapplicableError


def _archives(bench: Bench) -> list[Artefact]:
    """The archives of files of the first set that has increments, in their order."""
    for files in bench.manifest.files:
        found = [each for each in archives_of_set(bench.manifest, files.name) if each.kind == "files"]
        if len(found) > 1:
            return found
    raise InapplicableError("all files of the newest backup are stored whole: none changed since they were")


def _lost(number: int, bench: Bench) -> None:
    bench.remove(_archives(bench)[number].key)


def _left_out(bench: Bench) -> None:
    """The newest increment is neither named nor there; the list is that of all files."""
    last = _archives(bench)[-1]
    own = [each for each in bench.manifest.artefacts if each.base == last.base and each.base is not None]
    bench.remove(*(each.key for each in own))
    bench.publish(artefacts=tuple(each for each in bench.manifest.artefacts if each not in own))


def _skipped(bench: Bench) -> None:
    """The archive that the newest increment was made on is not named."""
    before = _archives(bench)[-2]
    bench.publish(artefacts=tuple(each for each in bench.manifest.artefacts if each.key != before.key))


def _wrong_base(bench: Bench) -> None:
    last, keys = _archives(bench)[-1], next(each for each in bench.manifest.artefacts if each.kind == "keys")
    other = last.model_copy(update={"base": keys.key})
    bench.publish(artefacts=tuple(other if each == last else each for each in bench.manifest.artefacts))


_at_rest = partial(Fault, family="at rest", expected="manifest")
_content = partial(Fault, family="content")

FAULTS = (
    _at_rest(id="increment-lost", title="an increment of files is missing", make=partial(_lost, -1)),
    _at_rest(id="base-lost", title="the archive below an increment of files is missing", make=partial(_lost, 0)),
    _content(
        id="increment-left-out", title="the newest increment of files is left out", expected="uploads", make=_left_out
    ),
    _content(
        id="base-skipped", title="the archive below an increment is not named", expected="manifest", make=_skipped
    ),
    _content(
        id="wrong-base", title="an increment of files names another archive", expected="manifest", make=_wrong_base
    ),
)
