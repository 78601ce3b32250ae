"""Open a backup's archives into directories: decrypt, decompress, unpack, and hold every byte against the manifest.

mbstream and tar run in the sandbox and see nothing but the directory they unpack into. In a drill everything there
belongs to the sandbox's user. A real restore by root gives files their owners back: tar is root there, but with only
the four capabilities that this takes, and still with nothing but its directory to write to.
"""

import os
from collections.abc import Callable
from pathlib import Path

from backup.codec import Sealed, UnusableIdentityError, unseal
from backup.manifest import Artefact
from opsctl.core.pipeline import Sink, Stage
from opsctl.core.process import Command, command, run
from opsctl.core.sandbox import Mount, sandbox_owner, sandboxed, sandboxed_as_root
from restore_drill.context import DrillHost
from restore_drill.directories import open_up
from restore_drill.hostile import new_file
from restore_drill.paths import ScratchPaths

TARGET = Path("/restored/target")
MBSTREAM_THREADS = 2
MODE_TIMEOUT_S = 600.0

# CHOWN: give away; DAC_OVERRIDE: write into directories given away; FOWNER, FSETID: their modes and times, set-gid too.
OWNER_CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID")


def open_artefact(
    host: DrillHost, artefact: Artefact, paths: ScratchPaths, *, step: int = 0, exact: bool = False, timeout_s: float
) -> Sealed:
    """Open one archive to its place in the scratch directory and return what it held.

    The database goes to `data`, or to the place of its `step` in a chain; files to `tree`, from which what was deleted
    is removed, keys to `keys` and to their places in `tree`, state to `state`, a list to `lists/<artefact>`. With
    `exact`, what is in `tree` gets its exact modes and, if we are root, its owners; else the sandbox's user may read
    and write all of it.
    Raises IntegrityError when the archive is not what was sealed, AuthError when no identity opens it,
    CommandFailedError when it cannot be unpacked.
    """
    if artefact.kind == "database":
        place = paths.database(step)
        for directory in (place.parent, place) if step else ():
            directory.mkdir(mode=0o700, exist_ok=True)
            os.chown(directory, *sandbox_owner())
        _unseal(host, artefact, _in_sandbox(mbstream_command(), place), timeout_s)
    elif artefact.kind == "list":
        with new_file(paths.lists / artefact.name) as file:
            _unseal(host, artefact, Sink(file.write), timeout_s)
    elif artefact.kind == "deleted":
        _unseal(host, artefact, _unpacking(remove_command(), paths.tree, owners=exact), timeout_s)
    elif artefact.kind == "state":
        extract(host, artefact, paths.state, timeout_s=timeout_s)
    else:
        if artefact.kind == "keys":
            extract(host, artefact, paths.keys, timeout_s=timeout_s)
        extract(host, artefact, paths.tree, exact=exact, timeout_s=timeout_s)
    return artefact.sealed


def extract(host: DrillHost, artefact: Artefact, target: Path, *, exact: bool = False, timeout_s: float) -> None:
    """Unpack one tar archive into a directory; see `open_artefact`."""
    command_ = tar_command(owners=exact and may_give_owners())
    _unseal(host, artefact, _unpacking(command_, target, owners=exact), timeout_s)
    if not exact:
        run(_in_sandbox(command("chmod", "-R", "u+rwX", TARGET), target), timeout_s=MODE_TIMEOUT_S)


def may_give_owners() -> bool:
    """Whether this process can give files their owners."""
    return os.geteuid() == 0


def mbstream_command() -> Command:
    """Build the words that unpack the database."""
    return command("mbstream", "-x", "-C", TARGET, f"-p{MBSTREAM_THREADS}")


def remove_command() -> Command:
    """Build the words that remove what was deleted on the host: paths, each ended by a zero byte."""
    return command("sh", "-c", f"cd {TARGET} && exec xargs --null --no-run-if-empty rm -rf --")


def tar_command(*, owners: bool) -> Command:
    """Build the words that unpack files: with modes and times, and with owners by number if asked to.

    A link to a directory that one archive made stays a link when the next one has files below it.
    """
    ownership = ("--same-owner", "--numeric-owner") if owners else ("--no-same-owner",)
    return command(
        "tar",
        "--extract",
        "--file=-",
        f"--directory={TARGET}",
        "--same-permissions",
        "--delay-directory-restore",
        "--keep-directory-symlink",
        "--warning=no-timestamp",
        *ownership,
    )


def identities(host: DrillHost, kind: str) -> tuple[Path, ...]:
    """The identity files that open an archive of a kind. Raises UnusableIdentityError when none are set."""
    keys = kind == "keys"
    files = host.drill.keys_identity_files if keys else host.drill.identity_files
    if not files:
        name = "drill.keys_identity_files" if keys else "drill.identity_files"
        raise UnusableIdentityError(
            f"no identity is set that could open the {kind} archive",
            where=name,
            hint=f"fetch the identity from where it is kept, name its file in {name}, and run: opsctl doctor",
        )
    return files


def _unpacking(cmd: Command, target: Path, *, owners: bool) -> Command:
    """A command that changes a tree: as root, if files keep their owners, else as a user whom directories let in."""
    if owners and may_give_owners():
        return sandboxed_as_root(cmd, (Mount(target, TARGET, writable=True),), OWNER_CAPABILITIES)
    if owners:
        open_up(target)
    return _in_sandbox(cmd, target)


def _in_sandbox(cmd: Command, target: Path) -> Command:
    return sandboxed(cmd, (Mount(target, TARGET, writable=True),))


def _unseal(host: DrillHost, artefact: Artefact, consumer: Stage, timeout_s: float) -> None:
    advance: Callable[[int], None] = host.progress.advance
    unseal(
        host.store,
        artefact.key,
        artefact.sealed,
        [consumer],
        identity_files=identities(host, artefact.kind),
        timeout_s=timeout_s,
        advance=advance,
    )
