"""Failpoints: named places at which a test kills this process, to show that nothing is ever left half-done.

They are off unless OPSCTL_FAILPOINT is set, which only tests do: `NAME` kills at the first pass, `NAME@N` at the Nth.
OPSCTL_FAILPOINT_TRACE names a file that receives the name of every failpoint passed, one a line, so that a test can
kill at each of them without a list that somebody would have to keep.
"""

import os
import signal
from collections import Counter

VARIABLES = ("OPSCTL_FAILPOINT", "OPSCTL_FAILPOINT_TRACE")

_ARMED, _, _NTH = os.environ.get(VARIABLES[0], "").partition("@")
_TRACE = os.environ.get(VARIABLES[1], "")
_passes: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Pass a failpoint; with this one armed, the process is gone (SIGKILL)."""
    if _TRACE:
        with open(_TRACE, "a", encoding="utf-8") as trace:
            trace.write(f"{name}\n")
    if name == _ARMED:
        _passes[name] += 1
        if _passes[name] == int(_NTH or "1"):
            os.kill(os.getpid(), signal.SIGKILL)
