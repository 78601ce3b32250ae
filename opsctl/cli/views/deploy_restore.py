"""The answer of `opsctl deploy restore`."""

from collections.abc import Iterator
from typing import Literal

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures
from opsctl.cli.words import seconds, when
from opsctl.deploy.records import FullRestoreBody


class DeployRestore(Document):
    """A host that was lost works again; all durations are seconds, and times UTC."""

    kind: Literal["deploy-restore"] = "deploy-restore"
    restored: FullRestoreBody


def restore_text(document: DeployRestore, paint: Painter) -> Iterator[str]:
    """Say what it is like now, how long it took, and what has to follow."""
    done = document.restored
    yield f"{paint(done.host, 'bold')}: {paint('its sites answer', 'green')}, with what was backed up"
    pairs = [
        ("backup", done.backup),
        ("database", done.database),
        ("full restore", f"{seconds(done.total_s)}, since {when(done.since)}"),
        ("of it", f"restore {seconds(done.restore_s)}, putting it in place {seconds(done.in_place_s)}"),
    ]
    yield from figures(pairs, paint)
    yield paint("Next: ", "cyan") + "on the host, as its binary logs begin anew: systemctl start opsctl-backup"
