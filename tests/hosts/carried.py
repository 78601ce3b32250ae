"""opsctl's wheel with those of what it depends on, as the manual of deployments has them fetched."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.debian import cache_directory
from tests.support.packaging import PROJECT, locked_dependencies

LOCK = PROJECT / "requirements.lock"
_MANUAL = (PROJECT / "docs/deploy.md").read_text()
[_COMMANDS] = re.findall(r"^```sh\n(sed .*?)^```$", _MANUAL, re.MULTILINE | re.DOTALL)
[_EXTRA] = re.findall(r"^Repositories in S3 need opsctl's extra: `'(.*)'`\.$", _MANUAL, re.MULTILINE)
FETCH = _COMMANDS.replace("./opsctl-*-py3-none-any.whl", _EXTRA)


def wheels_to_carry(wheel: Path, directory: Path) -> Path:
    """A directory with `wheel` and all that it needs, of which what is the same in each run comes from the cache."""
    fetched = _fetched(wheel)
    directory.mkdir()
    for file in fetched.iterdir():
        if not file.name.startswith("opsctl-"):
            shutil.copy(file, directory)
    shutil.copy(wheel, directory)
    return directory


def _fetched(wheel: Path) -> Path:
    version = hashlib.sha256((FETCH + locked_dependencies("3.11")).encode()).hexdigest()[:16]
    made = cache_directory() / f"carried-{version}"
    if not made.exists():
        work = made.with_name(f"{made.name}.new")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        for file in (wheel, LOCK):
            shutil.copy(file, work)
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        subprocess.run(["bash", "-euc", FETCH], cwd=work, env={"PATH": path}, check=True, capture_output=True)
        (work / "stacks/wheels").rename(made)
    return made
