"""A run of shipping that is killed at a chosen moment: python -m tests.integration.binlog.dying DIR SERVER_DIR MOMENT.

A moment is `sealing`, or `before:REGEX` or `after:REGEX`: around the publishing of an object whose key matches.
"""

import os
import re
import signal
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from backup.binlog.ship import ship
from opsctl.core.progress import Silent
from opsctl.core.store import Stored
from opsctl.core.store.directory import DirectoryStore, DirectoryUpload
from tests.support.host import make_host
from tests.support.mariadb import Server


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingUpload(DirectoryUpload):
    def __init__(self, store: "DyingStore", key: str) -> None:
        super().__init__(store, key, store.directory / key)
        self._before = store.before is not None and store.before.search(key) is not None
        self._after = store.after is not None and store.after.search(key) is not None

    def commit(self) -> Stored:
        if self._before:
            die()
        stored = super().commit()
        if self._after:
            die()
        return stored


class DyingStore(DirectoryStore):
    def __init__(self, directory: Path, moment: str) -> None:
        super().__init__(directory)
        when, _, pattern = moment.partition(":")
        self.before = re.compile(pattern) if when == "before" else None
        self.after = re.compile(pattern) if when == "after" else None

    def create(self, key: str, *, retain_until: datetime | None = None) -> DirectoryUpload:
        super().create(key, retain_until=retain_until).abort()
        return DyingUpload(self, key)


class DyingProgress(Silent):
    def advance(self, count: int) -> None:
        die()


def main(directory: Path, server_directory: Path, moment: str) -> None:
    server = Server(server_directory, server_directory / "data")
    host = make_host(directory, server, store=DyingStore(directory / "repository", moment))
    if moment == "sealing":
        host = replace(host, progress=DyingProgress())
    ship(host)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
