"""Ends a scratch server that waits for room on a full disk.

MariaDB writes Aria and MyISAM tables with MY_WAIT_IF_FULL: when the disk is full it says so in its log and waits, for
ever, for somebody to free space (mysys/errors.c, wait_for_free_space). Whoever asks it anything then waits as well.
"""

import threading
from pathlib import Path

from opsctl.core.process import Child, kill
from restore_drill.hostile import read_tail

POLL_S = 0.5
_WAITS = "Waiting for someone to free space"


class RoomWatch:
    """Looks at a server's log until it is stopped; kills the server when it waits for room.

    Whoever talks to the server then sees it end, and the log says why.
    """

    def __init__(self, log: Path, server: Child) -> None:
        self._log = log
        self._server = server
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; to be called before the server's end is waited for."""
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(POLL_S):
            if self._server.poll() is not None:
                return
            if _WAITS in read_tail(self._log):
                kill(self._server)
                return
