"""On a host: its own ledger learns from the agent's journals what was done to it, by whom, and what came of it."""

import os

from pydantic import TypeAdapter

from opsctl.core.errors import OpsError
from opsctl.core.ledger import Ledger
from opsctl.deploy.agent.lock import HOME
from opsctl.deploy.agent.report import ended
from opsctl.deploy.records import KIND, DeployBody, write
from opsctl.deploy.standing import Application

_APPLICATIONS = TypeAdapter(tuple[Application, ...])


def adopt_ended(ledger: Ledger) -> tuple[DeployBody, ...]:
    """Write a record of each application that has ended and is not in the ledger yet; return what they say.

    Raises OpsError for an account that may not read the journals.
    """
    if HOME.exists() and not os.access(HOME, os.R_OK | os.X_OK):
        raise OpsError("the journals of deployments cannot be read", where=str(HOME), hint="run it as root")
    told = (entry.record_of(DeployBody).body for entry in ledger.query(KIND))
    known = {body.plan_id for body in told if body.told_by == "host"}
    new = [each for each in _APPLICATIONS.validate_python(ended()) if each.id not in known]
    bodies = []
    for each in new:
        body = DeployBody(
            host=each.host,
            plan_id=each.id,
            plan_sha256=each.sha256,
            actor=each.who.actor or each.who.who,
            origin=each.who.origin,
            changes=each.changes,
            site=each.site,
            result=each.because or each.state,
            missed=each.missed,
            told_by="host",
        )
        write(ledger, each.stack, body, each.began, each.ended or each.began)
        bodies.append(body)
    return tuple(bodies)
