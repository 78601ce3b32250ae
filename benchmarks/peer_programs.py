"""What a careful operator would use instead: restic and borg (Debian's), encrypting and compressing as opsctl does."""

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PROGRAMS = {"borg": "borgbackup", "restic": "restic"}
_STREAM = "db.mbstream"


def require_peers() -> None:
    """Leave with the command that installs what is missing; script/bench does so by itself."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; apt-get install {' '.join(missing)}")


class Peer(Protocol):
    """A program with its repository below a directory."""

    def anew(self) -> None:
        """Make an empty repository, whatever was there before."""
        ...

    def store(self, tree: Path) -> None:
        """Back a directory up."""
        ...

    def store_stream(self, producer: str) -> None:
        """Back up what a shell command writes."""
        ...

    def open_stream(self, consumer: str) -> None:
        """Hand what the last `store_stream` stored to a shell command."""
        ...


@dataclass(frozen=True)
class Restic:
    """restic, with its default compression."""

    directory: Path
    name: str = "restic"

    def anew(self) -> None:
        """See `Peer`."""
        _remove(self.directory, self.name)
        self._run("init")

    def store(self, tree: Path) -> None:
        """See `Peer`."""
        self._run("backup", str(tree))

    def store_stream(self, producer: str) -> None:
        """See `Peer`."""
        self._shell(f"{producer} | {self._words('backup', '--stdin', '--stdin-filename', _STREAM)}")

    def open_stream(self, consumer: str) -> None:
        """See `Peer`."""
        self._shell(f"{self._words('dump', 'latest', _STREAM)} | {consumer}")

    def _words(self, *words: str) -> str:
        return shlex.join(["restic", "--quiet", "--repo", str(self.directory / self.name), *words])

    def _run(self, *words: str) -> None:
        self._shell(self._words(*words))

    def _shell(self, script: str) -> None:
        shell(script, RESTIC_PASSWORD="x", RESTIC_CACHE_DIR=str(self.directory / "restic-cache"))


@dataclass(frozen=True)
class Borg:
    """borg, with the compression that opsctl has."""

    directory: Path
    name: str = "borg"

    def anew(self) -> None:
        """See `Peer`."""
        _remove(self.directory, self.name)
        self._shell(f"borg init --encryption=repokey-blake2 {self._repository}")

    def store(self, tree: Path) -> None:
        """See `Peer`."""
        self._shell(f"{self._create} {self._new} {shlex.quote(str(tree))}")

    def store_stream(self, producer: str) -> None:
        """See `Peer`."""
        self._shell(f"{producer} | {self._create} --stdin-name={_STREAM} {self._new} -")

    def open_stream(self, consumer: str) -> None:
        """See `Peer`."""
        newest = f"$(borg list --short --last 1 {self._repository})"
        self._shell(f"borg extract --stdout {self._repository}::{newest} | {consumer}")

    @property
    def _repository(self) -> str:
        return shlex.quote(str(self.directory / self.name))

    @property
    def _create(self) -> str:
        return "borg create --compression=zstd,1"

    @property
    def _new(self) -> str:
        return f"{self._repository}::{{now:%s.%f}}"

    def _shell(self, script: str) -> None:
        shell(script, BORG_PASSPHRASE="x", BORG_BASE_DIR=str(self.directory / "borg-home"))


def shell(script: str, **env: str) -> None:
    """Run a pipeline in which every program has to succeed."""
    words = ["bash", "-o", "pipefail", "-c", script]
    done = subprocess.run(words, env={**os.environ, **env}, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{script}\n{done.stderr[-2000:]}")


def _remove(directory: Path, name: str) -> None:
    for path in directory.glob(f"{name}*"):
        shutil.rmtree(path)
