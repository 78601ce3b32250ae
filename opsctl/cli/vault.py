"""`opsctl vault`: an archive of chats, and its audit log."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli import vault_reading
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import vault as view
from opsctl.cli.views import vault_attack as attack_view
from opsctl.cli.views import vault_log as log_view
from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode, IntegrityError, SettingsError
from opsctl.core.store.directory import DirectoryStore
from opsctl.core.verdict import Verdict
from opsctl.overview import vault_wire, wire
from vault.accounts import Role
from vault.attack.run import attack_test
from vault.context import Vault
from vault.importing.run import Request, import_export
from vault.migrate import initialise, migrate
from vault.verify.archive import ArchiveState, verify_archive
from vault.verify.dump import verify_dump
from vault.verify.proof import check as check_proof
from vault.verify.proof import prove, read_proof, write_proof
from vault.verify.record import record
from vault.verify.renew import renew as begin_anew
from vault.verify.run import Scope, Verified, checkpoint, reader, verify
from vault.whatsapp.survey import DateOrder

app = new_group("Archive chats, with an audit log that anyone can verify.")

ParallelOption = Annotated[int | None, typer.Option("--parallel", min=1, max=64, help="Processes (default: settings).")]


@command(app, "init")
def init_vault(session: Session) -> Answer:
    """Make the vault's database, its accounts with exactly their privileges, and its tables."""
    done = initialise(vault_wire.vault(session.settings, session.progress))
    document = view.VaultInit(before=done.before, applied=done.applied, newest=done.newest)
    return Answer(document, lambda paint: view.migrated_text(done, paint), report=True)


@command(app, "migrate")
def migrate_vault(session: Session) -> Answer:
    """Bring the vault to the newest schema; an interrupted migration goes on."""
    done = migrate(vault_wire.vault(session.settings, session.progress))
    document = view.VaultMigrate(before=done.before, applied=done.applied, newest=done.newest)
    return Answer(document, lambda paint: view.migrated_text(done, paint), report=True)


@command(app, "import")
def import_chat(
    session: Session,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The export: a zip, a text, or a directory.")],
    chat: Annotated[str, typer.Option(metavar="NAME", help="The chat it belongs to.")],
    zone: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of the phone, such as Asia/Kolkata.")],
    date_order: Annotated[
        DateOrder | None, typer.Option("--date-order", help="Order of dates, where the file does not tell it.")
    ] = None,
) -> Answer:
    """Import a WhatsApp export; what is there already is not added again."""
    vault = vault_wire.vault(session.settings, session.progress)
    request = Request(path, chat, zone, vault_wire.actor(), vault_wire.origin(), date_order)
    done = import_export(vault, request, lock_wait_s=session.options.lock_wait_s)
    document = view.imported(chat, done)
    return Answer(document, lambda paint: view.import_text(document, paint), report=not done.unparsed)


@command(app, "verify")
def verify_log(
    session: Session,
    *,
    full: Annotated[bool, typer.Option("--full", help="Read every row, not only those since a checkpoint.")] = False,
    since: Annotated[str | None, typer.Option(metavar="CHECKPOINT", help="Read the rows since this one.")] = None,
    parallel: ParallelOption = None,
    archive: Annotated[bool, typer.Option("--archive", help="Also compare messages and files with the log.")] = False,
    dump: Annotated[Path | None, typer.Option(metavar="FILE", help="A dump of mariadb-dump instead.")] = None,
    socket: Annotated[Path | None, typer.Option(metavar="PATH", help="A restored server instead.")] = None,
) -> Answer:
    """Verify the audit log, by default from the newest checkpoint on, and hold it against all checkpoints."""
    settings = session.settings
    if full and since:
        raise SettingsError("--full and --since exclude each other")
    custody = vault_wire.custody(settings)
    if dump is not None:
        return _verdict(verify_dump(dump, custody))
    started = utcnow()
    vault = vault_wire.vault(settings, session.progress, at=socket)
    processes = parallel or (vault.settings.parallel if full else 1)
    scope = Scope(full, since, processes, may_be_older=socket is not None)
    found = verify(reader(vault), custody, scope, session.progress)
    compared = _compared(vault, session) if archive else None
    if socket is None:
        record(wire.ledger(settings), settings.stack.name, found, started, compared)
    return _verdict(found, compared)


def _compared(vault: Vault, session: Session) -> ArchiveState:
    with vault.connect(Role.READER) as connection:
        return verify_archive(connection, DirectoryStore(vault.settings.media_dir), session.progress)


def _verdict(found: Verified, compared: ArchiveState | None = None) -> Answer:
    document = view.verified(found, compared)
    broken = found.state.verdict is Verdict.BROKEN or (compared is not None and compared.faults > 0)
    code = ExitCode.INTEGRITY if broken else ExitCode.DONE
    return Answer(document, lambda paint: view.verify_text(document, paint), code, report=code is ExitCode.DONE)


@command(app, "checkpoint")
def make_checkpoint(session: Session, parallel: ParallelOption = None) -> Answer:
    """Verify, sign where the log stands, and put that into every repository."""
    settings = session.settings
    connect, started = reader(vault_wire.vault(settings, session.progress)), utcnow()
    scope = Scope(parallel=parallel or 1)
    found, done = checkpoint(connect, vault_wire.custody(settings), scope, settings.trust, session.progress)
    record(wire.ledger(settings), settings.stack.name, found, started)
    document = view.checkpointed(done, off_host=vault_wire.off_host(settings))
    return Answer(document, lambda paint: view.checkpoint_text(document, paint), report=document.off_host)


@command(app, "prove")
def prove_row(
    session: Session,
    row: Annotated[int, typer.Argument(metavar="ROW", min=1, help="The row's number.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here, and its checker beside it.")] = None,
) -> Answer:
    """Prove that a row is in the log; others check it with one command and without opsctl."""
    settings = session.settings
    proof = prove(reader(vault_wire.vault(settings, session.progress)), vault_wire.custody(settings), row)
    document = log_view.VaultProve(proof=proof)
    if out is None:
        return Answer(document, lambda paint: [proof.model_dump_json()])
    checker = write_proof(proof, out)
    signers = settings.trust.allowed_signers
    return Answer(document, lambda paint: log_view.prove_text(out, checker, signers), report=True)


@command(app, "check-proof")
def check_row(session: Session, file: Annotated[Path, typer.Argument(metavar="FILE", help="The proof.")]) -> Answer:
    """Check a proof against this machine's trusted signers; no vault is needed."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"the proof cannot be read: {error.strerror}", where=str(file)) from error
    document = log_view.VaultCheckProof(proven=check_proof(read_proof(data), wire.verifier(session.settings)))
    return Answer(document, lambda paint: log_view.proven_text(document, paint))


@command(app, "renew")
def renew_log(
    session: Session,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why rows are lost; it stands in the new log.")],
    confirm: Annotated[str, typer.Option(metavar="NAME", help="The name of the vault's database.")],
) -> Answer:
    """After an older copy was restored, begin a new audit log that names the old one and what of it is lost."""
    settings = session.settings
    vault = vault_wire.vault(settings, session.progress)
    if confirm != vault.database:
        raise SettingsError(f"--confirm names '{confirm}'; the vault's database is '{vault.database}'")
    custody = vault_wire.custody(settings)
    begin_anew(vault, custody, actor=vault_wire.actor(), origin=vault_wire.origin(), reason=reason)
    new = verify(reader(vault), custody, Scope(full=True), session.progress)
    if new.renewed is None:
        raise IntegrityError("the new log does not name the old one", hint="opsctl vault verify --full")
    document = view.renewed(new.state.verdict, new.origin, new.renewed)
    return Answer(document, lambda paint: view.renew_text(document, paint), report=True)


@command(app, "attack-test")
def play_attacks(session: Session) -> Answer:
    """Play the known attacks on the audit log of a scratch vault, and say what stops or finds each of them."""
    document = attack_view.played(attack_test(session.progress))
    code = ExitCode.FINDINGS if document.unexpected else ExitCode.DONE
    return Answer(document, lambda paint: attack_view.attack_text(document, paint), code)


vault_reading.register(app)
