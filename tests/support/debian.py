"""Clean Debian systems in directories: made once, kept in a cache, the ground on which machines of the tests stand.

A base is a root file system that nothing writes to. It can lie on another one, of which it then holds only what
differs; whoever mounts it names both, the upper one first (`Base.layers`).
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Part of the name of a cached base: another recipe makes another base.
RECIPE = "2"
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_BUILD_TIMEOUT_S = 1200
# What differs from an installation by hand saves time only: no manuals, no fsync, and no services started.
_LEAN = {
    "etc/apt/apt.conf.d/01lean": 'Acquire::Languages "none";\nAPT::Install-Recommends "0";\n',
    "etc/dpkg/dpkg.cfg.d/lean": "force-unsafe-io\npath-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\n",
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
}
_SCAFFOLD = ("lower", "work", "root", "extra")
# dpkg syncs each file it unpacks; a volatile overlay knows that nothing here is worth waiting for.
_BUILD = """
mount --make-rprivate /
mount -t overlay -o lowerdir={lower},upperdir=tree,workdir=work,volatile overlay root
{bootstrap}
cp -r extra/. root
cp /etc/resolv.conf root/etc/resolv.conf
mount -t proc proc root/proc
exec chroot root /usr/bin/env -i {environment} DEBIAN_FRONTEND=noninteractive sh -euc {install}
"""
_INSTALL = """
exec >&2
chmod 755 /usr/sbin/policy-rc.d
{packages}
{script}
rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d
"""
_PACKAGES = """
apt-get -qq update
apt-get -qq --yes install {} </dev/null
apt-get clean
"""


@dataclass(frozen=True)
class Base:
    """A root file system: its directories, the one that lies on top first."""

    layers: tuple[Path, ...]

    @property
    def lowerdir(self) -> str:
        """The words of an overlay's option."""
        return ":".join(str(layer) for layer in self.layers)


@dataclass(frozen=True)
class Recipe:
    """How a base is made: packages of `release`, on another base or from nothing, and then a script run in it as root.

    `fill` puts files into a directory that is copied over the system before that; `version` tells apart recipes that
    differ in those only.
    """

    release: str
    packages: Sequence[str] = ()
    on: Base | None = None
    script: str = ""
    fill: Callable[[Path], None] | None = None
    version: str = ""

    @property
    def name(self) -> str:
        """The name of its directory in the cache."""
        words = [RECIPE, self.release, *self.packages]
        if self.on is not None or self.script or self.version:
            words += ["", self.on.lowerdir if self.on else "", self.script, self.version]
        return f"{self.release}-{hashlib.sha256(chr(10).join(words).encode()).hexdigest()[:12]}"


def cache_directory() -> Path:
    """Where what takes long to make is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsctl-tests"


def base(recipe: Recipe) -> Base:
    """A base from the cache; the first time it is made, while whoever else wants it waits."""
    home = cache_directory() / "debian" / recipe.name
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            _build(home, recipe)
            (home / "done").touch()
    return Base((home / "tree", *(recipe.on.layers if recipe.on else ())))


def _build(home: Path, recipe: Recipe) -> None:
    """Make a base. One that was begun and not finished is thrown away; its mounts ended with its processes."""
    _remove(home, "tree", *_SCAFFOLD)
    for name in ("tree", *_SCAFFOLD):
        (home / name).mkdir()
    _lay_out(home / "extra", recipe)
    packages = _PACKAGES.format(" ".join(recipe.packages)) if recipe.packages else ""
    script = _BUILD.format(
        lower=recipe.on.lowerdir if recipe.on else "lower",
        bootstrap="" if recipe.on else f"debootstrap --variant=minbase {recipe.release} root {_mirror()} >&2",
        environment=" ".join(f"{name}={value}" for name, value in ENVIRONMENT.items()),
        install=shlex.quote(_INSTALL.format(packages=packages, script=recipe.script)),
    )
    words = [*own_namespaces("--mount", "--pid"), "sh", "-euc", script]
    done = subprocess.run(
        words, cwd=home, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=_BUILD_TIMEOUT_S
    )
    assert done.returncode == 0, f"{recipe.name}: {done.stderr[-3000:]}"
    _remove(home, *_SCAFFOLD)


def _lay_out(extra: Path, recipe: Recipe) -> None:
    """Put together what is copied in: how this machine reaches a mirror, what saves time, and what the recipe has."""
    acquire = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    for name, text in (_LEAN | {"etc/apt/apt.conf.d/00machine": acquire}).items():
        (extra / name).parent.mkdir(parents=True, exist_ok=True)
        (extra / name).write_text(text)
    if recipe.fill is not None:
        recipe.fill(extra)


def _remove(home: Path, *names: str) -> None:
    subprocess.run([*as_root(), "rm", "-rf", "--one-file-system", *(home / name for name in names)], check=True)


def own_namespaces(*namespaces: str) -> list[str]:
    """The words for namespaces of one's own, whose processes die with the one that started them."""
    return [*as_root(), "setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "--fork", "--kill-child"]


def as_root() -> list[str]:
    """The words that make root of whoever runs the tests."""
    return [] if os.geteuid() == 0 else [shutil.which("sudo") or "sudo", "--preserve-env=PATH"]


def _mirror() -> str:
    """Where this machine gets its Debian from; debootstrap's own choice where that is not said."""
    lines = _SOURCES.read_text().splitlines() if _SOURCES.exists() else []
    return next((line.split()[1] for line in lines if line.startswith("URIs:")), "")
