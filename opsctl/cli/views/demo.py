"""The answer of `opsctl demo`."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from backup.manifest import Manifest
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures
from opsctl.cli.views.backup import summary
from opsctl.cli.views.drill import checks_text, measured
from opsctl.cli.words import OUTCOME_STYLES, seconds, size
from opsctl.core.words import counted
from opsctl.overview.demo_run import Demo
from restore_drill.report import DrillReport

# They find the settings in the directory they are typed in.
COMMANDS = (
    "opsctl status",
    "opsctl backup show",
    "opsctl binlog ship",
    "opsctl drill run",
    "opsctl restore --latest --to ../restored",
    "opsctl ledger verify",
)


class DemoDocument(Document):
    """What the demo did. Durations are in seconds; `directory` is gone again unless `kept`."""

    kind: Literal["demo"] = "demo"
    directory: Path
    config: Path
    kept: bool
    manifest: Manifest
    shipped_transactions: int
    shipped_logs: int
    drill: DrillReport
    set_up_s: float
    total_s: float
    customer: dict[str, int]


class DemoRemoved(Document):
    """A kept demo that was removed."""

    kind: Literal["demo-removed"] = "demo-removed"
    directory: Path


def document_of(demo: Demo) -> DemoDocument:
    """Collect."""
    facts = demo.facts
    segments = demo.shipment.body.segments
    return DemoDocument(
        directory=demo.directory,
        config=demo.config,
        kept=demo.kept,
        manifest=demo.manifest,
        shipped_transactions=sum(segment.transactions for segment in segments),
        shipped_logs=len(segments),
        drill=demo.drill,
        set_up_s=demo.set_up_s,
        total_s=demo.total_s,
        customer={
            "posts": facts.posts,
            "attachments": facts.attachments,
            "leads": facts.leads,
            "cards": facts.cards,
            "calls": facts.calls,
            "invoices": facts.invoices,
        },
    )


def text(document: DemoDocument, paint: Painter) -> Iterator[str]:
    """Write what was made, saved and proved, and where it lies."""
    row = summary(document.manifest)
    body = document.drill.body
    has = ", ".join(counted(count, name.removesuffix("s")) for name, count in document.customer.items())
    logs = counted(document.shipped_logs, "binary log")
    yield paint("A throwaway customer: backed up, worked in, shipped, restored, judged.", "bold")
    yield ""
    pairs = [
        ("customer", has),
        ("backup", f"{counted(row.tables, 'table')}, {counted(row.files, 'file')}, {size(row.cipher_size)} encrypted"),
        ("shipped", f"{counted(document.shipped_transactions, 'transaction')} in {logs}"),
    ]
    yield from figures(pairs, paint)
    yield ""
    yield from checks_text(body, paint)
    yield ""
    verdict = f"{body.passed} of {len(body.results)} checks passed"
    yield f"{paint(verdict, OUTCOME_STYLES[document.drill.outcome])}, all in {seconds(document.total_s)}."
    yield from figures(list(measured(body)), paint)
    yield ""
    yield from _where(document, paint)


def _where(document: DemoDocument, paint: Painter) -> Iterator[str]:
    place = document.directory
    if not document.kept:
        yield "Everything was removed again. To play with it: " + paint("opsctl demo --keep", "cyan")
        return
    yield from figures(
        [
            ("customer", f"{place}/customer/host (its MariaDB is running)"),
            ("repository", f"{place}/repository (README.txt: restoring by hand)"),
            ("settings", str(document.config)),
        ],
        paint,
    )
    yield ""
    yield "Try:"
    for words in (*_path_words(), f"cd {document.config.parent}", *COMMANDS, f"opsctl demo --remove {place}"):
        yield "  " + paint(words, "cyan")


def _path_words() -> Iterator[str]:
    """What makes `opsctl` a command, where it is none yet."""
    if shutil.which("opsctl") is None:
        yield f"PATH=$PATH:{Path(sys.argv[0]).absolute().parent}"
