"""Restores a logical export into a directory: a datadir of the installed version, judged, and whole or not there."""

import os
import shlex
from datetime import datetime
from pathlib import Path

from backup.logical.catalog import export_asked_for, read_export
from backup.logical.document import Export
from backup.manifest import Part, Phase
from opsctl.core.clock import iso, utcnow
from opsctl.core.errors import IntegrityError
from opsctl.core.failpoints import failpoint
from opsctl.core.process import command, run
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.room import needing_room
from opsctl.core.store.directory import sync_directory
from restore_drill.context import DrillHost
from restore_drill.delivery import OPTIONS, SERVER_USER, SOCKET, START, give, server_owner
from restore_drill.exports import checks
from restore_drill.exports.drill import begin, load_all
from restore_drill.exports.load import new_server, server_words
from restore_drill.hostile import new_file
from restore_drill.options import option_file
from restore_drill.paths import ScratchPaths
from restore_drill.restore import PREFIX, SYNC_TIMEOUT_S, Phases, put, require_empty, take
from restore_drill.scratch import ScratchServer
from restore_drill.workspace import remove_dead, workspace

KIND = "export-restore"
VERSION = 1


class ExportRestoreReport(Part):
    """What was brought back, and how long each phase took. `snapshot` (UTC) is the moment it is of; `server_version` is
    the source's, `loaded_into` what is in the directory."""

    export: str
    snapshot: datetime
    directory: str
    server_version: str
    loaded_into: str
    gtid_state: str
    databases: int
    tables: int
    rows: int
    phases: tuple[Phase, ...]


def restore_export(host: DrillHost, to: Path, name: str) -> ExportRestoreReport:
    """Load the export of this id, or the `latest`, into the directory `to`, which must be empty or absent.

    It gets `data` (the datadir, of the installed version), `keys` when the source was encrypted (new ones), `my.cnf`,
    and START.txt with the commands to go on with. What was loaded is held against what the source said of itself.
    Raises SettingsError, AuthError, LoadError, IntegrityError, OpsError; then there is nothing at `to`.
    """
    started = utcnow()
    to = to.absolute()
    remove_dead(to.parent, prefix=PREFIX)
    require_empty(to)
    phases = Phases()
    with needing_room(to.parent), workspace(to.parent, prefix=PREFIX) as paths:
        with phases.measured("trust"):
            export = read_export(host.catalog, export_asked_for(host.catalog, name))
        version, rows = _load(host, export, paths, phases)
        with phases.measured("deliver"):
            result = _deliver(paths, export, to, version)
            run(command("sync", "--file-system", result), timeout_s=SYNC_TIMEOUT_S)
            failpoint("export_restore.before_rename")
            put(result, to)
            sync_directory(to.parent)
    report = ExportRestoreReport(
        export=export.id,
        snapshot=export.snapshot,
        directory=str(to),
        server_version=export.server_version,
        loaded_into=version,
        gtid_state=export.gtid_state,
        databases=len(export.databases),
        tables=len(export.tables),
        rows=rows,
        phases=tuple(phases.done),
    )
    host.ledger.append(
        Record(
            kind=KIND, version=VERSION, subject=host.stack, started=started, finished=utcnow(), outcome=Outcome.PASSED,
            fresh_until=None, body=report,
        )
    )  # fmt: skip
    return report


def _load(host: DrillHost, export: Export, paths: ScratchPaths, phases: Phases) -> tuple[str, int]:
    """Load, judge, and shut down cleanly; the server's version and the number of rows."""
    server = new_server(host, export, paths)
    try:
        with phases.measured("start"):
            begin(host, export, paths, server)
        version = str(server.query("SELECT VERSION() AS version")[0]["version"])
        with phases.measured("load"):
            for attempt in load_all(host, export, server).values():
                take(attempt)
        with phases.measured("check"):
            rows = _judge(export, server)
        with phases.measured("stop"):
            server.stop(drop_admin=True)
    finally:
        server.kill()
    return version, rows


def _judge(export: Export, server: ScratchServer) -> int:
    """Raise IntegrityError unless everything that the source said of itself is there; the number of rows."""
    rows = 0
    with checks.asking(server) as ask:
        for judge in checks.every_check(export, ask, server.admin).values():
            result = judge()
            if not result.passed:
                raise IntegrityError(f"what was loaded is not what was exported: {result.found}", hint=result.hint)
            rows += int(str(result.figures.get("rows", 0)))
    return rows


def _deliver(paths: ScratchPaths, export: Export, final: Path, version: str) -> Path:
    """Lay out the result in the scratch directory, ready to be renamed to `final`; return where it lies."""
    result = paths.root / "result"
    result.mkdir(mode=0o711)
    result.chmod(0o711)
    for source, name in ((paths.data, "data"), (paths.keys, "keys")):
        if any(source.iterdir()):
            source.rename(result / name)
            give(result / name, *server_owner())
    words = [
        f"--datadir={final / 'data'}",
        f"--socket={SOCKET}",
        f"--pid-file={final / 'data' / 'mariadb.pid'}",
        f"--log-error={final / 'data' / 'error.log'}",
        *("--skip-networking", "--skip-log-bin", "--skip-slave-start", "--event-scheduler=OFF"),
        *server_words(export, final / "keys"),
    ]
    if server_owner()[0] != os.geteuid():
        words.insert(0, f"--user={SERVER_USER}")
    with new_file(result / OPTIONS, mode=0o644) as file:
        file.write(option_file("mariadbd", words).encode())
    with new_file(result / START, mode=0o644) as file:
        file.write(_start_text(export, final, version).encode())
    return result


def _start_text(export: Export, final: Path, version: str) -> str:
    """The text of START.txt: what this is, and the exact commands to look at it, and to put it in place."""
    data, options = (shlex.quote(str(final / name)) for name in ("data", OPTIONS))
    notes = [f"Stack {export.stack}, loaded from the logical export {export.id}, as at {iso(export.snapshot)}."]
    notes.append(f"The source was MariaDB {export.server_version}; this is a datadir of {version}.")
    if export.encrypted:
        notes.append("Tables are encrypted with new keys, which lie in keys/ and are nowhere else.")
    outside = [f"{table.database}.{table.name}" for table in export.outside()]
    if outside:
        notes.append(f"Not quite of that moment, since they know no transactions: {', '.join(outside)}.")
    if export.history_left_out:
        notes.append(f"Without their former rows: {', '.join(export.history_left_out)}.")
    notes.append("Sites' files and secrets are in no export: opsctl restore brings them back from a backup.")
    text = "\n".join(notes)
    text += f"""

LOOK AT THE DATABASE (no network, no events, no binary log)
    mariadbd --defaults-file={options} &
    cd {data} && mariadb --no-defaults --socket={SOCKET} --user=root --password
    cd {data} && mariadb-admin --no-defaults --socket={SOCKET} --user=root --password shutdown
A root account that logs in by unix_socket needs no --password.

PUT THE DATABASE IN PLACE (give the server's configuration the encryption options of my.cnf, if there are any)
    systemctl stop mariadb
    mv /var/lib/mysql /var/lib/mysql.before
    cp --archive {data} /var/lib/mysql
    systemctl start mariadb
"""
    if export.gtid_state:
        text += f"""
GO ON WITH THE SAME GTIDS (on a server with log_bin, before anything is written to it)
    mariadb --execute="RESET MASTER; SET GLOBAL gtid_binlog_state = '{export.gtid_state}'"
"""
    return text + "\nTHEN TAKE A FULL BACKUP: the logs begin anew\n    opsctl backup run\n"
