"""The drill host that belongs to a benchmark's host: the same machine, with its identities."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backup.context import Host
from restore_drill.context import DrillHost
from restore_drill.restored import Restored
from restore_drill.steps import open_all, prepare_database
from restore_drill.workspace import workspace
from tests.support.host import make_drill_host

BUFFER_POOL_MB = 512


def drill_host(host: Host) -> DrillHost:
    """What restores from the repository of a host that `make_host` made."""
    return make_drill_host(host, buffer_pool_mb=BUFFER_POOL_MB)


@contextmanager
def prepared(host: Host) -> Iterator[Restored]:
    """The newest backup, opened and prepared in a scratch directory while the block runs."""
    drill = drill_host(host)
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o711)
        with workspace(Path(directory)) as paths:
            restored = Restored(drill, drill.catalog, drill.catalog.newest(), paths)
            for attempt in open_all(restored).values():
                attempt.need()
            prepare_database(restored).need()
            yield restored
