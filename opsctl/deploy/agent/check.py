"""Lets the programs themselves judge what they would read, before anything of it is in place.

The staged tree is mounted over the host's own in a mount namespace of the check alone: each program finds the files at
the paths where it will find them later, and no other process sees anything of it.
"""

import base64
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

from . import host
from .observe import Resource

TIMEOUT_S = 120
LAYER = "layer"
FILES = "{files}"
"""Stands in a check's argv for the changed files that concern it."""


def check_all(checks: list[dict[str, Any]], changes: list[Resource], stage: Path) -> None:
    """Run the checks of which a changed path concerns one. Raises AgentError with what the program said."""
    changed = [change["path"] for change in changes]
    gone = [change["path"] for change in changes if change["type"] == "absent" and change["path"].startswith("/etc/")]
    files = [change["path"] for change in changes if change["type"] == "file"]
    for check in checks:
        concerns = tuple(check["concerns"])
        if any(path.startswith(concerns) for path in changed):
            _check(check, stage, gone, [path for path in files if path.startswith(concerns)])


def _check(check: dict[str, Any], stage: Path, gone: list[str], files: list[str]) -> None:
    words = [word for each in check["argv"] for word in (files if each == FILES else [each])]
    # Only /etc: programs that check themselves write to /var and /run as they always do. The layer lies in memory,
    # since what a host's disk is made of may not serve as one.
    script = f"""mount --make-rprivate /
cd {shlex.quote(str(stage))}
mount -t tmpfs -o mode=0700 tmpfs {LAYER}
mkdir {LAYER}/work
cp -a etc {LAYER}/etc
mount -t overlay overlay -o lowerdir=/etc,upperdir={LAYER}/etc,workdir={LAYER}/work /etc
{f"rm -f {shlex.join(gone)}" if gone else ""}
cd /
exec {shlex.join(words)} 2>&1"""
    try:
        said = host.run("unshare", "--mount", "sh", "-euc", script, timeout_s=TIMEOUT_S)
    except host.AgentError as error:
        raise host.AgentError(f"the check '{check['name']}' refuses what would be in place: {error}") from None
    fatal = check.get("fatal")
    if fatal and (found := re.search(fatal, said)):
        line = next(line for line in said.splitlines() if found[0] in line)
        raise host.AgentError(f"the check '{check['name']}' refuses what would be in place: {line.strip()}")


def stage_files(resources: list[Resource], stage: Path) -> None:
    """Lay files, links and directories out as they will lie below /."""
    for directory in ("etc", LAYER):
        (stage / directory).mkdir(parents=True)
    for resource in resources:
        target = stage / resource["path"].lstrip("/")
        _make_parents(target.parent, stage)
        match resource["type"]:
            case "file":
                target.write_bytes(base64.b64decode(resource["content"]))
                target.chmod(int(resource["mode"], 8))
                shutil.chown(target, resource["owner"], resource["group"])
            case "link":
                target.symlink_to(resource["target"])
            case "directory":
                target.mkdir(exist_ok=True)
                target.chmod(int(resource["mode"], 8))
                shutil.chown(target, resource["owner"], resource["group"])


def _make_parents(directory: Path, stage: Path) -> None:
    """Make directories as they are on the host: the layer's rights would hide the host's."""
    if directory == stage or directory.exists():
        return
    _make_parents(directory.parent, stage)
    directory.mkdir()
    real = Path("/") / directory.relative_to(stage)
    if real.is_dir():
        found = real.stat()
        os.chown(directory, found.st_uid, found.st_gid)
        directory.chmod(found.st_mode & 0o7777)
