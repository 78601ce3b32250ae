"""`opsctl doctor`: look at everything that has to be in place."""

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_app
from opsctl.cli.views import doctor as view
from opsctl.core.errors import ExitCode
from opsctl.core.result import exit_code_of
from opsctl.overview import doctor as overview

app = new_app()


@command(app, "doctor")
def doctor(session: Session) -> Answer:
    """Look at everything that has to be in place, and say what to type next where it is not."""
    probes = overview.probes(session.loaded)
    results = overview.examine(probes)
    document = view.examined(session.settings.machine.place, results)
    code = exit_code_of(results)
    return Answer(document, lambda paint: view.text(document, paint), code, report=code is ExitCode.DONE)
