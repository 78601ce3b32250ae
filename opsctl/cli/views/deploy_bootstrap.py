"""The answer of `opsctl deploy bootstrap`."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.views.deploy import change_text, missed_text
from opsctl.cli.words import seconds
from opsctl.core.words import counted
from opsctl.deploy.application import Missed
from opsctl.deploy.bootstrap import Made
from opsctl.deploy.plan import Change


class Phase(BaseModel):
    """A part of the work, and how many seconds it took."""

    name: str
    seconds: float


class DeployBootstrap(Document):
    """What a bare host was made of: `made`, `finished` (what another run had begun), or `planned` (a dry run).

    `missed` is what others than the host refused, such as a certificate.
    """

    kind: Literal["deploy-bootstrap"] = "deploy-bootstrap"
    host: str
    result: Literal["planned", "made", "finished"]
    plan_sha256: str | None
    changes: tuple[Change, ...]
    phases: tuple[Phase, ...]
    missed: tuple[Missed, ...]


def bootstrapped(host: str, made: Made) -> DeployBootstrap:
    """Collect."""
    return DeployBootstrap(
        host=host,
        result=made.result,
        plan_sha256=made.plan.digest if made.plan else None,
        changes=made.plan.changes if made.plan else (),
        phases=tuple(Phase(name=name, seconds=took) for name, took in made.took.items()),
        missed=made.missed,
    )


def bootstrap_text(document: DeployBootstrap, paint: Painter) -> Iterator[str]:
    """Write the changes, then how long each phase took, then what is proved."""
    name, count = paint(document.host, "bold"), counted(len(document.changes) - len(document.missed), "change")
    for change in document.changes:
        yield from change_text(change, paint)
    if document.result == "planned":
        yield f"{name}: {count} would be made; nothing was"
        return
    for phase in document.phases:
        yield f"  {phase.name:<14} {seconds(phase.seconds):>12}"
    whole = seconds(sum(phase.seconds for phase in document.phases))
    what = f"{count} made in {whole}" if document.result == "made" else "what was interrupted is whole and confirmed"
    rest = "has only this left" if document.missed else "is empty"
    yield f"{name}: {paint(what, 'green')}; a second plan {rest}"
    yield from missed_text(document.missed, paint)
