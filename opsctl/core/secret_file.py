"""Secrets that lie in files: read only where nobody else can read them."""

import os
import stat
from pathlib import Path

from pydantic import SecretStr

from opsctl.core.errors import AuthError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def loaded(file: Path) -> Path:
    """Where a secret is read from: the credential of the same file name that systemd loaded for this unit
    (LoadCredential=), which a job's own user can read, or else the file itself."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(directory, file.name) if directory else None
    return credential if credential is not None and credential.is_file() else file


def read_secret(file: Path) -> SecretStr:
    """Read a file's only line, or that of its credential. Raises AuthError when it is not there, empty, or others may
    read it."""
    place = loaded(file)
    if place != file:
        return _read(place, file)
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise _unreadable(file, error) from error
    if mode & _OTHERS:
        raise AuthError(
            f"others may read a secret (mode {stat.S_IMODE(mode):04o})", where=str(file), hint=f"chmod 600 {file}"
        )
    return _read(file, file)


def _read(place: Path, file: Path) -> SecretStr:
    try:
        text = place.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    if not text or "\n" in text:
        raise AuthError(
            f"a secret is one line, this file has {len(text.splitlines())}", where=str(file), hint=f"write it: {file}"
        )
    return SecretStr(text)


def _unreadable(file: Path, error: OSError | UnicodeDecodeError) -> AuthError:
    why = error.strerror if isinstance(error, OSError) else "it is no text"
    return AuthError(
        f"a secret cannot be read: {why}",
        where=str(file),
        hint=f"write it there with mode 0600, owned by the user that runs the job: ls -l {file}",
    )
