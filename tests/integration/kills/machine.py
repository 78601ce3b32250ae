"""A machine that does everything for a small customer, and the real command line as a program of its own."""

import importlib
import multiprocessing
import os
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup.context import Host
from opsctl.cli.main import main
from opsctl.core import failpoints
from opsctl.core.settings_example import render
from opsctl.settings import Settings, load_settings
from tests.support.host import STACK, identity_file, keys_identity_file, make_host
from tests.support.mariadb import Server

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    ["tests.integration.kills.machine", *(f"opsctl.cli.{group}" for group in ("backup", "binlog", "drill", "restore"))]
)

LOGGING = ("--log-bin=bin", "--server-id=7")
TIMEOUT_S = 120


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal) and what it wrote."""

    code: int
    out: str
    err: str


class Running:
    """A command that runs: forked from a process that has read the program already, since that takes longest."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], said: Path) -> None:
        self._said = said.with_suffix(".out"), said.with_suffix(".err")
        self._process = _FORKING.Process(target=_run, args=(list(words), dict(env), *self._said))
        self._process.start()

    @property
    def pid(self) -> int:
        """The process id, which is its session's as well."""
        assert self._process.pid is not None
        return self._process.pid

    def wait(self, timeout_s: float) -> bool:
        """Wait at most that long; whether it has ended."""
        self._process.join(timeout_s)
        return self._process.exitcode is not None

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def end(self) -> Ended:
        """Wait until it ends by itself."""
        if not self.wait(TIMEOUT_S):
            self.kill()
            self._process.join()
            raise AssertionError(f"it did not end within {TIMEOUT_S} s")
        code = self._process.exitcode
        assert code is not None
        out, err = (file.read_text() if file.exists() else "" for file in self._said)
        for file in self._said:
            file.unlink(missing_ok=True)
        return Ended(code, out, err)


def _run(words: list[str], env: dict[str, str], out: Path, err: Path) -> None:
    """What `python -m opsctl` does, in a process that was forked."""
    os.setsid()
    os.environ.update(env)
    for file, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    importlib.reload(failpoints)  # it has read the environment before
    sys.argv = ["opsctl", *words]
    main()


@dataclass(frozen=True)
class Machine:
    """Everything of one machine below `directory`: opsctl.toml, keys, identities, repository, state, locks, scratch."""

    directory: Path
    server: Server

    @property
    def config(self) -> Path:
        return self.directory / "opsctl.toml"

    @property
    def repository(self) -> Path:
        return self.directory / "repository"

    @property
    def scratch(self) -> Path:
        return self.directory / "scratch"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def settings(self) -> Settings:
        return load_settings(self.config).settings

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> "Running":
        """Start a command in a process and a session of its own."""
        return Running(["--config", str(self.config), *words], env or {}, self.directory / secrets.token_hex(4))

    def opsctl(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end."""
        return self.start(*words, env=env).end()

    def succeed(self, *words: str) -> str:
        """Run a command that has to succeed; its output."""
        ended = self.opsctl(*words)
        assert ended.code == 0, f"{' '.join(words)}: {ended}"
        return ended.out

    def copy(self, directory: Path) -> "Machine":
        """The same machine, with the same server, keys and history, somewhere else."""
        shutil.copytree(self.directory, directory, symlinks=True)
        directory.chmod(0o711)
        copy = Machine(directory, self.server)
        copy.config.write_text(self.config.read_text().replace(f"{self.directory}/", f"{directory}/"))
        return copy

    def change(self, **sections: dict[str, Any]) -> None:
        """Write the settings anew, with other values in some sections."""
        host = load_settings(self.config).settings
        values = host.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        for name, changes in sections.items():
            values[name] = {**values.get(name, {}), **changes}
        self.config.write_text(render(Settings, values))


def make_machine(directory: Path, server: Server) -> Machine:
    """Accounts on the server, keys, settings, a site, an empty repository."""
    directory.mkdir(exist_ok=True)
    directory.chmod(0o711)
    site = directory / "root/srv/site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("<p>hello\n")
    (site / "old.html").write_text("<p>old\n")
    (site / ".env").write_text("SECRET=1\n")
    host = make_host(directory, server)
    machine = Machine(directory, server)
    machine.scratch.mkdir()
    machine.scratch.chmod(0o711)
    machine.config.write_text(render(Settings, _values(machine, host)))
    return machine


def _values(machine: Machine, host: Host) -> dict[str, Any]:
    database = host.database.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    return {
        "stack": {"name": STACK, "root": machine.directory / "root"},
        "machine": {"place": "all", "state_dir": machine.state, "lock_dir": machine.directory / "locks"},
        "trust": host.trust.model_dump(mode="json", exclude_unset=True),
        "repositories": [{"name": "local", "path": machine.repository}],
        "database": database,
        "sites": [{"name": "site", "kind": "static", "paths": ["/srv/site"]}],
        "nginx": {"enabled": False},
        "backup": {
            "recipients": list(host.backup.recipients),
            "keys_recipients": list(host.backup.keys_recipients),
        },
        "drill": {
            "identity_files": [identity_file(machine.directory)],
            "keys_identity_files": [keys_identity_file(machine.directory)],
            "scratch_dir": machine.scratch,
            "buffer_pool_mb": 64,
        },
    }
