"""The agent's command line: words in, JSON out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import apply as applying
from . import audit, host, lock, program, release
from .observe import fingerprint, observe
from .releases import Releases
from .report import status
from .restore import restore
from .survey import survey
from .unlock import unlock

LOCKED, STALE, FAILED = 75, 76, 1


def main(words: list[str]) -> int:
    """Do what the words say and print the answer; an error is an answer too."""
    try:
        answer, code = _do(words), 0
    except lock.LockedError as error:
        answer, code = {"error": "locked", "holder": error.holder}, LOCKED
    except applying.StaleError as error:
        answer, code = {"error": "stale", "changed": str(error)}, STALE
    except (host.AgentError, OSError) as error:
        answer, code = {"error": "failed", "why": str(error)}, FAILED
    if words[0] in _CHANGING and code not in (LOCKED, STALE) and not answer.get("confirm"):
        answer["unrecorded"] = audit.tell()
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


def _observe() -> dict[str, Any]:
    found = observe(_question()["resources"])
    return {
        "states": found,
        "fingerprint": fingerprint(found),
        "fingerprints": {key: fingerprint({key: state}) for key, state in found.items()},
    }


def _question() -> dict[str, Any]:
    question: dict[str, Any] = json.load(sys.stdin)
    return question


_WORDS: dict[str, Callable[..., dict[str, Any]]] = {
    "observe": _observe,
    "survey": lambda: {"survey": survey()},
    "status": status,
    "missing": lambda: {"missing": program.missing(_question()["resources"])},
    "store": lambda: {"stored": program.store(sys.stdin.buffer)},
    "restore": lambda: restore(sys.stdin.buffer),
    "wait": lambda: {"free": lock.wait(_question()["seconds"])},
    "apply": lambda directory: applying.apply(Path(directory)),
    "release": lambda directory: release.release(Path(directory)),
    "rollback": lambda directory: release.rollback(Path(directory)),
    "releases": lambda: {home: Releases(Path(home)).listed() for home in _question()["homes"]},
    "confirm": applying.confirm,
    "revert": applying.revert,
    "resume": applying.resume,
    "unlock": lambda: unlock(_question()),
}
_CHANGING = ("apply", "release", "rollback", "confirm", "revert", "resume", "unlock")


def _do(words: list[str]) -> dict[str, Any]:
    word, *more = words
    if word not in _WORDS:
        raise host.AgentError(f"no such word: {word}")
    return _WORDS[word](*more)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
