"""Loads a logical export into a new datadir: the server and its client run in the sandbox, for the SQL is hostile.

What comes from a hijacked host may hold any statement; the client takes no commands of its own from it, reaches nothing
but the scratch server's socket, and that server reaches nothing at all.
"""

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backup.codec import unseal
from backup.logical.document import Dump, Export
from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.process import Command, CommandFailedError, TimedOutError, client_options, command, run
from opsctl.core.room import says_full
from opsctl.core.sandbox import Mount, give_to_sandbox, sandbox_owner, sandboxed
from restore_drill.context import DrillHost
from restore_drill.fetch import identities
from restore_drill.hostile import new_file
from restore_drill.paths import ScratchPaths
from restore_drill.scratch import DATA, KEYS, RUN, SOCKET, ScratchServer, ServerPlace

KEY_FILE = "keys"
INSTALL_TIMEOUT_S = 300.0
# The server's own; everything else that a new datadir has must make room for what was exported.
_KEPT = ("mariadb.sys", "PUBLIC")
_REFUSAL = re.compile(r"ERROR (\d+) \(\w+\) at line (\d+)")


class LoadError(OpsError):
    """The server refuses a statement of an export."""


def make_datadir(paths: ScratchPaths, *, timeout_s: float = INSTALL_TIMEOUT_S) -> None:
    """Make an empty datadir of the installed version. Raises CommandFailedError."""
    give_to_sandbox(paths.data)
    words = (f"--datadir={DATA}", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
    # --force looks up no host name: there is no network.
    install = command("mariadb-install-db", "--no-defaults", "--force", *words)
    run(sandboxed(install, (Mount(paths.data, DATA, writable=True),)), timeout_s=timeout_s)
    failpoint("export.datadir_made")


def make_keys(paths: ScratchPaths, export: Export) -> None:
    """Write new keys of the numbers that the tables ask for; none for a source that knew no encryption."""
    if export.encrypted:
        with new_file(paths.keys / KEY_FILE, mode=0o400) as file:
            lines = [f"{number};{secrets.token_hex(32)}\n" for number in sorted({1, *export.key_ids})]
            file.write("".join(lines).encode())
        give_to_sandbox(paths.keys)


def server_words(export: Export, keys: Path) -> list[str]:
    """The options that keep encrypted what the source kept encrypted, with keys of its own."""
    if not export.encrypted:
        return []
    plugin = ["--plugin-load=file_key_management", f"--file-key-management-filename={keys / KEY_FILE}"]
    tables = ["--innodb-encrypt-tables=ON", "--innodb-encrypt-log=ON", "--aria-encrypt-tables=ON"]
    return [*plugin, *tables, "--encrypt-tmp-files=ON"]


def new_server(host: DrillHost, export: Export, paths: ScratchPaths) -> ScratchServer:
    """A scratch server on the new datadir, not started yet."""
    place = ServerPlace(paths.data, paths.run, paths.keys, paths.logs)
    return ScratchServer(
        place,
        server_words(export, KEYS),
        buffer_pool_mb=host.drill.buffer_pool_mb,
        server_id=secrets.randbelow(2**32 - 1) + 1,
    )


def drop_accounts(server: ScratchServer) -> None:
    """Drop all accounts that the new datadir came with: only those of the export shall be there. Raises OpsError."""
    found = server.query("SELECT User AS user, Host AS host FROM mysql.global_priv WHERE User <> %s", [server.admin])
    for row in found:
        if row["user"] not in _KEPT:
            server.query("DELETE FROM mysql.global_priv WHERE User = %s AND Host = %s", [row["user"], row["host"]])
    server.query("DELETE FROM mysql.proxies_priv")
    # Only who may be everybody's proxy may let others be.
    server.query(
        "INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, With_grant) "
        "VALUES ('localhost', %s, '', '', 1)",
        [server.admin],
    )
    server.query("FLUSH PRIVILEGES")


def load(host: DrillHost, export: Export, dump: Dump, server: ScratchServer, *, timeout_s: float) -> None:
    """Open one archive and run its SQL. Raises LoadError, which names line and error and quotes no data; what
    `unseal` raises."""
    advance: Callable[[int], None] = host.progress.advance
    target = RUN / SOCKET
    with client_options(user=server.admin, password=server.password, socket=target) as (options, descriptor):
        os.fchown(descriptor, *sandbox_owner())
        client = sandboxed(client_command(options, descriptor, export), server.mounts(target))
        try:
            unseal(
                host.store,
                dump.key,
                dump.sealed,
                [client],
                identity_files=identities(host, "SQL"),
                timeout_s=timeout_s,
                advance=advance,
            )
        except CommandFailedError as error:
            raise _explained(error, dump) from error


def client_command(options: str, descriptor: int, export: Export) -> Command:
    """Build the client's words. Time stands still: see `Export.load_as_at`."""
    client = command(
        "mariadb",
        options.replace("--defaults-extra-file=", "--defaults-file="),
        "--binary-mode",
        "--comments",  # those in routines are part of their text
        "--default-character-set=utf8mb4",
        "--max-allowed-packet=1G",
        f"--init-command=SET SESSION timestamp = {export.load_as_at}",
    )
    return replace(client, pass_fds=(descriptor,))


def _explained(error: CommandFailedError, dump: Dump) -> OpsError:
    said = error.completed.stderr
    if isinstance(error, TimedOutError) or error.completed.command.program != "mariadb" or says_full(said):
        return error
    refusal = _REFUSAL.search(said)
    how = f"refuses line {refusal[2]} with error {refusal[1]}" if refusal else "ended while it was loaded"
    return LoadError(
        f"the server {how}, of the SQL of {dump.name}",
        where=dump.key,
        hint="what the number means: perror NUMBER; the SQL itself: README.txt in the repository",
    )
