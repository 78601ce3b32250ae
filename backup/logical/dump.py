"""mariadb-dump over all databases, in one connection and one snapshot."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pydantic import SecretStr

from backup.context import Host
from opsctl.core.errors import AuthError, OpsError
from opsctl.core.mariadb.privileges import grant_hint
from opsctl.core.process import Command, CommandFailedError, client_options, command

PROGRAM = "mariadb-dump"
_CHANGED = ("Table definition has changed", "doesn't exist (1146)")


def dump_command(options: str, descriptor: int, databases: Sequence[str]) -> Command:
    """Build mariadb-dump's words; `options` is the only option file read, inherited as `descriptor`."""
    dump = command(
        PROGRAM,
        options.replace("--defaults-extra-file=", "--defaults-file="),
        "--single-transaction",
        "--hex-blob",
        "--routines",
        "--triggers",
        "--events",
        "--no-autocommit",
        "--default-character-set=utf8mb4",
        "--max-allowed-packet=1G",
        "--databases",
        "--",
        *databases,
    )
    return replace(dump, pass_fds=(descriptor,))


@contextmanager
def dumping(host: Host, user: str, password: SecretStr | None, databases: Sequence[str]) -> Iterator[Command]:
    """The command that writes the dump, while the block runs."""
    with client_options(user=user, password=password, socket=host.database.socket) as (options, descriptor):
        yield dump_command(options, descriptor, databases)


@contextlib.contextmanager
def explained(host: Host, user: str) -> Iterator[None]:
    """Turn what mariadb-dump only prints into an error that says what to do, and quotes nothing of the data."""
    try:
        yield
    except CommandFailedError as error:
        said = error.completed.stderr
        if error.completed.command.program != PROGRAM:
            raise
        if "denied" in said:
            line = next(line for line in said.splitlines() if "denied" in line)
            raise AuthError(
                f"the server refuses {user}: {line.strip()}",
                where=str(host.database.socket),
                hint=grant_hint(said, user),
            ) from error
        if any(words in said for words in _CHANGED):
            raise definitions_changed() from error
        raise


def definitions_changed() -> OpsError:
    """The error for tables that somebody altered while they were exported."""
    return OpsError(
        "tables were altered while they were exported, so there is no one moment of them",
        hint="run it again when nobody alters tables: opsctl backup run --kind logical",
    )
