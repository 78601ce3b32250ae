"""Unpacks what was carried here, which may be anything: nothing of it lies outside, or makes anybody somebody else.

Whatever the archive says of owners and rights, a release belongs to who unpacks it, and the site's group reads it.
"""

import hashlib
import os
import re
import stat
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from . import host

PYTHON = re.compile(r"/usr/bin/python3(\.[0-9]+)?")
"""Where a link may lead beside the release itself: a virtual environment names the host's interpreter."""
CHUNK = 1 << 20
FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)


def verify(archive: Path, sha256: str) -> None:
    """Raises AgentError when what arrived is not what was sent."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise host.AgentError(f"what arrived is not what was sent: its SHA-256 is {found}, not {sha256}")


def unpack(archive: Path, into: Path, group: int) -> None:
    """Unpack into a new directory. Raises AgentError for whatever is no file, directory or link inside of it."""
    _directory(into, group)
    kinds: dict[PurePosixPath, bytes] = {PurePosixPath(): tarfile.DIRTYPE}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                path = _path(member, kinds)
                kinds[path] = member.type
                _take(tar, member, into / path, group)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise host.AgentError(f"the archive cannot be read: {error}") from None
    for path, kind in kinds.items():
        if kind == tarfile.SYMTYPE:
            _stays(into / path, into)


def _path(member: tarfile.TarInfo, kinds: dict[PurePosixPath, bytes]) -> PurePosixPath:
    """Where a member lies. Each is below a directory that the archive has brought before it: never below a link."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or str(path) != member.name.rstrip("/"):
        raise host.AgentError(f"the archive has a path that leads out of it: {member.name!r}")
    if path in kinds or kinds.get(path.parent) != tarfile.DIRTYPE:
        raise host.AgentError(f"the archive has a path twice, or below what is no directory: {member.name!r}")
    if member.mode & (stat.S_ISUID | stat.S_ISGID):
        raise host.AgentError(f"the archive has a program that runs as somebody else: {member.name!r}")
    return path


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, group: int) -> None:
    if member.type == tarfile.DIRTYPE:
        _directory(path, group)
    elif member.type == tarfile.SYMTYPE:
        path.symlink_to(member.linkname)
        os.lchown(path, -1, group)
    elif member.type in FILES:
        _file(tar, member, path, group)
    else:
        raise host.AgentError(f"the archive has what is no file, directory or link: {member.name!r}")


def _directory(path: Path, group: int) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, -1, group)
    path.chmod(0o750)


def _file(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, group: int) -> None:
    content = tar.extractfile(member)
    if content is None:
        raise host.AgentError(f"the archive has a file without content: {member.name!r}")
    with path.open("xb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)
        os.fchown(file.fileno(), -1, group)
        os.fchmod(file.fileno(), 0o750 if member.mode & 0o100 else 0o640)
    os.utime(path, (member.mtime, member.mtime))


def _stays(link: Path, root: Path) -> None:
    """Judge a link by where it really leads, through all others."""
    target = os.readlink(link)
    real = Path(os.path.realpath(link))
    inside = real.is_relative_to(os.path.realpath(root))
    if target.startswith("/"):
        inside = PYTHON.fullmatch(target) is not None
    if not inside and not PYTHON.fullmatch(str(real)):
        raise host.AgentError(f"the archive has a link that leads out of it: {link.relative_to(root)} -> {target}")
