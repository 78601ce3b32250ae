"""`opsctl ledger`: read and verify the list of what runs have proved."""

from typing import Annotated

import typer

from backup.checkpoints import verify_ledger
from backup.ledger_record import record_verdict
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import ledger as view
from opsctl.core.clock import parse_instant, utcnow
from opsctl.core.errors import ExitCode, OpsError, SettingsError
from opsctl.core.verdict import Verdict
from opsctl.overview import wire

app = new_group("Read and verify the list of what runs have proved.")

KindOption = Annotated[str | None, typer.Option(help="Only this kind: backup, shipment, drill, verification.")]
SinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only what finished at or after this time; it names its zone.")
]


@command(app, "list")
def list_(session: Session, kind: KindOption = None, since: SinceOption = None) -> Answer:
    """List records, oldest first."""
    after = parse_instant(since) if since else None
    document = view.listed(wire.ledger(session.settings).query(kind, None, after))
    return Answer(document, lambda paint: view.list_text(document, paint))


@command(app, "show")
def show(session: Session, seq: Annotated[int, typer.Argument(metavar="SEQ", help="The record's number.")]) -> Answer:
    """Show one record as it was written."""
    entry = next((entry for entry in wire.ledger(session.settings).query() if entry.seq == seq), None)
    if entry is None:
        raise SettingsError(f"the ledger has no record {seq}", hint="opsctl ledger list")
    document = view.shown(entry)
    return Answer(document, lambda paint: view.show_text(document, paint))


@command(app, "verify")
def verify(
    session: Session,
    *,
    record: Annotated[
        bool, typer.Option("--record", help="Write the verdict into the ledger, and pin it by a new checkpoint.")
    ] = False,
) -> Answer:
    """Check the whole chain, and hold it against the checkpoints in the repository."""
    settings, started = session.settings, utcnow()
    ledger, store = wire.ledger(settings), wire.store(settings)
    state = verify_ledger(ledger, store, settings.stack.name, wire.verifier(settings))
    if record:
        record_verdict(ledger, settings.stack.name, state, started)
        if state.verdict is not Verdict.BROKEN:
            wire.pin(settings)
    document = view.verified(state)
    code = ExitCode.INTEGRITY if state.verdict is Verdict.BROKEN else ExitCode.DONE
    return Answer(document, lambda paint: view.verify_text(document, paint), code)


@command(app, "export")
def export(session: Session) -> Answer:
    """Write the whole ledger as one JSON document, for keeping elsewhere."""
    ledger = wire.ledger(session.settings)
    log_id = ledger.log_id()
    if log_id is None:
        raise OpsError("there is no ledger on this machine yet", where=str(ledger.path), hint="opsctl backup run")
    document = view.exported(log_id, ledger.query())
    return Answer(document, lambda paint: [document.model_dump_json()])
