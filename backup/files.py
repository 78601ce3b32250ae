"""Archives of files that are no site's: one of all secrets, one of opsctl's own state."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from backup.archive import Archives
from backup.archive_set import TAR
from backup.context import Host
from backup.keys import Secrets
from backup.tarstream import tar_stream
from backup.tree import Found
from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.pipeline import Source

LEDGER = "ledger.sqlite"
ALLOWED_SIGNERS = "allowed_signers"
SETTINGS = "settings"
SNAPSHOT = ".snapshot-"


def archive_keys(host: Host, archives: Archives, secrets: Secrets) -> tuple[str, ...]:
    """Seal all secrets for the recipients of keys; return their paths. Raises OpsError for one that went away."""
    paths = secrets.paths()
    with tar_stream((open_found(secrets.place(path), path) for path in paths), lambda entry: None) as stream:
        archives.seal("keys", "keys", TAR, [Source(stream)])
    return tuple(str(path) for path in paths)


def archive_state(host: Host, archives: Archives) -> None:
    """Seal the ledger, the settings and the list of trusted signers."""
    with _state(host) as found, tar_stream(found, lambda entry: None) as stream:
        archives.seal("state", "state", TAR, [Source(stream)])


@contextlib.contextmanager
def _state(host: Host) -> Iterator[Iterable[Found]]:
    host.machine.state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SNAPSHOT, dir=host.machine.state_dir) as scratch:
        ledger = Path(scratch) / LEDGER
        host.ledger.snapshot(ledger)
        failpoint("backup.after_snapshot")
        places = {Path("/") / LEDGER: ledger, Path("/") / ALLOWED_SIGNERS: host.trust.allowed_signers}
        places |= {Path("/") / SETTINGS / file.resolve().relative_to("/"): file for file in host.settings_files}
        yield (open_found(places[name], name) for name in sorted(places))


def open_found(place: Path, path: Path) -> Found:
    """One file or symbolic link at `place`, under the name `path`. Raises OpsError when it cannot be read."""
    try:
        found = place.lstat()
        if stat.S_ISLNK(found.st_mode):
            return Found(path, "symlink", found, target=os.readlink(place))
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise OpsError(
            f"{path} cannot be read: {error.strerror}",
            where=str(place),
            hint="run opsctl as a user that may read it; if it moved, take the backup again",
        ) from error
    return Found(path, "file", os.fstat(descriptor), descriptor)
