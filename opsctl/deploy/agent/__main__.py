"""The agent's command line: words in, JSON out."""

import json
import sys
from pathlib import Path
from typing import Any

from . import apply as applying
from . import host
from .observe import fingerprint, observe
from .survey import survey

LOCKED, STALE, FAILED = 75, 76, 1


def main(words: list[str]) -> int:
    """Do what the words say and print the answer; an error is an answer too."""
    try:
        answer = _do(words)
    except applying.LockedError as error:
        return _say({"error": "locked", "by": str(error)}, LOCKED)
    except applying.StaleError as error:
        return _say({"error": "stale", "changed": str(error)}, STALE)
    except (host.AgentError, OSError) as error:
        return _say({"error": "failed", "why": str(error)}, FAILED)
    return _say(answer, 0)


def _do(words: list[str]) -> dict[str, Any]:
    match words:
        case ["observe"]:
            found = observe(json.load(sys.stdin)["resources"])
            return {
                "states": found,
                "fingerprint": fingerprint(found),
                "fingerprints": {key: fingerprint({key: state}) for key, state in found.items()},
            }
        case ["survey"]:
            return {"survey": survey()}
        case ["apply", directory]:
            return applying.apply(Path(directory))
        case ["confirm", name]:
            return applying.confirm(name)
        case ["revert", name]:
            return applying.revert(name)
        case ["recover"]:
            with applying.locked({"who": "opsctl", "why": "recovering"}):
                return {"recovered": applying.recover()}
    raise host.AgentError(f"no such words: {' '.join(words)}")


def _say(answer: dict[str, Any], status: int) -> int:
    sys.stdout.write(json.dumps(answer) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
