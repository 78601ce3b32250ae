"""One customer host: Debian booted in systemd-nspawn, with a network link of its own and a disk in memory."""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.hosts.leftovers import control_groups, making, new_place, remove, sweep
from tests.hosts.processes import descendant, read_line, wait_for_end
from tests.support.debian import ENVIRONMENT, Base, own_namespaces

_SUPERVISOR = Path(__file__).with_name("supervisor.sh")
_NETWORK = "10.231"
_LINK = "o-host"
_BOOT_TIMEOUT_S = 120.0
_RUN_TIMEOUT_S = 120.0


class HostError(Exception):
    """A host did not do what it was told; the message has its last words."""


@dataclass
class Host:
    """A host. Make it with `Host.make`, and `destroy` it; one that runs can be told to do things.

    `address` is its own in a network that only it and this machine share, `gateway` this machine's in it.
    """

    name: str
    place: Path
    address: str
    gateway: str
    host_key: str
    _supervisor: "subprocess.Popen[str]" = field(repr=False)
    _end: int = field(repr=False)
    _lock: IO[str] = field(repr=False)

    @classmethod
    def make(cls, base: Base, name: str = "customer") -> "Host":
        """Make a host on a base; it is off. What dead ones left is removed first."""
        if os.geteuid() != 0:
            raise HostError("hosts are made by root only: run these tests as root")
        with making():
            sweep()
            place, lock = new_place()
            _own_files(place, name)
            supervisor = _start_supervisor(place, name, base, lock)
        number = _link(supervisor)
        host_key = (place / "own/etc/ssh/ssh_host_ed25519_key.pub").read_text().strip()
        address, gateway = f"{_NETWORK}.{number}.2", f"{_NETWORK}.{number}.1"
        first = os.pidfd_open(descendant(supervisor.pid, 1) or supervisor.pid)
        made = cls(name, place, address, gateway, host_key, supervisor, first, lock)
        made._say(address)
        return made

    @property
    def identity(self) -> Path:
        """The private key that opens root's account over SSH."""
        return self.place / "identity"

    @property
    def known_hosts(self) -> Path:
        """An OpenSSH known_hosts file with the host's key."""
        path = self.place / "known_hosts"
        path.write_text(f"{self.address} {' '.join(self.host_key.split()[:2])}\n")
        return path

    def boot(self) -> None:
        """Switch it on, and wait until everything that starts at boot has."""
        with self._told_when_booted():
            self._say("boot")

    def reboot(self) -> None:
        """Let it shut down and start again."""
        with self._told_when_booted():
            self.run("systemctl", "reboot", "--no-block")

    def power_off(self) -> None:
        """Let it shut down, and wait until it is off."""
        self.run("systemctl", "poweroff", "--no-block")
        self._answer("off ")

    def cut_power(self) -> None:
        """Stop it as a power cut does: everything at once, nothing written that was not."""
        os.kill(self._first(), signal.SIGKILL)  # and with it all that it started
        self._answer("off ")

    def run(
        self,
        *words: str | Path,
        user: str = "root",
        stdin: str | None = None,
        timeout_s: float = _RUN_TIMEOUT_S,
        check: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program on it as `user`. Raises HostError when it fails, unless `check` is false."""
        done = subprocess.run(
            [*self._inside(user), *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            input=stdin or "",
            timeout=timeout_s,
        )
        if check and done.returncode != 0:
            said = done.stdout + done.stderr
            raise HostError(f"{' '.join(map(str, words))} exited with {done.returncode}: {said[-3000:]}")
        return done

    def shell(self, script: str, *, user: str = "root", timeout_s: float = _RUN_TIMEOUT_S) -> str:
        """Run a script of sh that stops at its first error, and return what it printed. Raises HostError."""
        return self.run("sh", "-euc", script, user=user, timeout_s=timeout_s).stdout

    def spawn(self, *words: str | Path, user: str = "root") -> "subprocess.Popen[str]":
        """Start a program on it that goes on; the caller ends it."""
        return subprocess.Popen(
            [*self._inside(user), *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def write(self, path: str, content: str | bytes, *, mode: int = 0o644, owner: str = "root:root") -> None:
        """Write a file on it; its directory is made when it is not there."""
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.run("chown", owner, path)
        target.chmod(mode)

    def read(self, path: str) -> str:
        """Read a file on it."""
        return self.inside(path).read_text()

    def inside(self, path: str) -> Path:
        """A path of the running host, as this machine reaches it. A link to an absolute path leads astray."""
        return Path(f"/proc/{self._first()}/root") / path.lstrip("/")

    def destroy(self) -> None:
        """End it and remove everything of it."""
        with making():
            self._supervisor.kill()
            self._supervisor.wait()
            for stream in (self._supervisor.stdin, self._supervisor.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            wait_for_end(self._end)  # the last process of all, after which nothing holds anything
            remove(self.place)
            self._lock.close()

    def _say(self, word: str) -> None:
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.write(f"{word}\n")
        self._supervisor.stdin.flush()

    def _answer(self, beginning: str) -> None:
        line = read_line(self._supervisor, _BOOT_TIMEOUT_S)
        if not line.startswith(beginning):
            raise self._broken(f"'{beginning}' was expected, it said '{line.strip()}'")

    @contextlib.contextmanager
    def _told_when_booted(self) -> Iterator[None]:
        """Wait, after the block, until the manager passes on that the host's systemd calls the boot complete.

        The socket is there for that long only: the host's first process stands still when nobody reads what it says.
        """
        path = self.place / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(path))
            try:
                yield
                self._wait_until_booted(ready)
            finally:
                path.unlink()

    def _wait_until_booted(self, ready: socket.socket) -> None:
        assert self._supervisor.stdout is not None
        streams = (ready.fileno(), self._supervisor.stdout.fileno())
        while True:
            heard, _, _ = select.select(streams, [], [], _BOOT_TIMEOUT_S)
            if ready.fileno() not in heard:
                raise self._broken("it went off" if heard else f"it was not up after {_BOOT_TIMEOUT_S:g} s")
            if b"READY=1" in ready.recv(8192):
                return

    def _broken(self, what: str) -> HostError:
        console = self.place / "console.log"
        said = console.read_text(errors="replace")[-3000:] if console.exists() else ""
        return HostError(f"{self.name}: {what}\n{said}")

    def _first(self) -> int:
        """The host's first process: unshare > bash > systemd-nspawn > systemd."""
        found = descendant(self._supervisor.pid, 3)
        if found is None:
            raise self._broken("it is off")
        return found

    def _inside(self, user: str) -> list[str]:
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        words = ["nsenter", f"--target={self._first()}", "--all", "--", "/usr/bin/env", "-i", *environment]
        return words if user == "root" else [*words, "runuser", "-u", user, "--"]


def _own_files(place: Path, name: str) -> None:
    """Lay out what no other host has: its name, and its keys."""
    own = place / "own"
    for directory in ("etc/ssh", "root/.ssh"):
        (own / directory).mkdir(parents=True)
    own.chmod(0o755)
    for private in (own / "root", own / "root/.ssh"):
        private.chmod(0o700)
    _make_key(place / "identity", "tests")
    _make_key(own / "etc/ssh/ssh_host_ed25519_key", name)
    shutil.copy(place / "identity.pub", own / "root/.ssh/authorized_keys")
    (own / "root/.ssh/authorized_keys").chmod(0o600)
    (own / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
    (own / "etc/hostname").write_text(f"{name}\n")
    (own / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost\n")
    (own / "etc/resolv.conf").write_text("")
    (place / "disk").mkdir()


def _make_key(path: Path, comment: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], check=True)


def _start_supervisor(place: Path, name: str, base: Base, lock: IO[str]) -> "subprocess.Popen[str]":
    groups = " ".join(str(group) for group in control_groups(place.name))
    supervisor = subprocess.Popen(
        [
            *own_namespaces("--mount", "--net", "--uts", "--pid"),
            "bash",
            _SUPERVISOR,
            place,
            name,
            base.lowerdir,
            groups,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[lock.fileno()],
    )
    said = read_line(supervisor, _BOOT_TIMEOUT_S)
    if said != "ready\n":
        raise HostError(f"{name}: the supervisor ended with {supervisor.wait()}, its words are above")
    return supervisor


def _link(supervisor: "subprocess.Popen[str]") -> int:
    """Make a network link into the supervisor's network; return the first free number, by which it is called."""
    for number in range(1, 255):
        ours = f"{_LINK}{number}"
        words = ["ip", "link", "add", ours, "type", "veth", "peer", "name", "host0", "netns", str(supervisor.pid)]
        made = subprocess.run(words, capture_output=True, text=True, check=False)
        if made.returncode == 0:
            subprocess.run(["ip", "address", "add", f"{_NETWORK}.{number}.1/30", "dev", ours], check=True)
            subprocess.run(["ip", "link", "set", ours, "up"], check=True)
            return number
        if "exists" not in made.stderr:
            raise HostError(f"no network link can be made: {made.stderr}")
    raise HostError(f"all of {_NETWORK}.1.0 to {_NETWORK}.254.0 are taken")
