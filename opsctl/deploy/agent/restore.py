"""Puts what was restored elsewhere in place on a host that has nothing yet: its database and the files of its sites.

It comes in over the connection, opened by the machine that holds the identities. What the host had, which is what a
deployment gives to a new one, is moved aside first and comes back when anything fails. A run that was killed is done
again: what lies aside tells such a host from one that has data.
"""

import contextlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from . import host
from .apply import recover, refuse_while_waiting
from .lock import HOME, locked

STAGE = HOME / "restore"
LOG = STAGE / "log"
DATA = Path("/var/lib/mysql")
UNITS = Path("/etc/systemd/system")
MARK = "# Written by opsctl schedule install"
OWN = "'mysql', 'information_schema', 'performance_schema', 'sys', 'opsctl'"
MOVE_TIMEOUT_S = 24 * 3600
START_TIMEOUT_S = 600
Order = dict[str, Any]
Moved = list[tuple[Path, Path]]


def restore(stream: BinaryIO) -> dict[str, Any]:
    """Take in a line of JSON that says what comes, then a tar file of it, and put it in place. Raises AgentError.

    The order has `who`; `sites`, names with their homes; `own`, files of a deployment among them; `keys`, paths on the
    host; `gtid_state`; `sql`, files to run then as the database's root; `units` to restart; and `health`, commands that
    have to succeed at the end.
    """
    order: Order = json.loads(stream.readline())
    with locked(order["who"]):
        refuse_while_waiting()
        recover()
        places = [DATA, *map(Path, order["keys"]), *map(Path, order["sites"].values())]
        if not any(os.path.lexists(aside_of(place)) for place in places):
            refuse_data(order)
        _take_in(stream, order)
        with _timers_stopped():
            _put(order)
        shutil.rmtree(STAGE)
        return {"outcome": "restored"}


def aside_of(path: Path) -> Path:
    """Where what a new host had there lies while it is being restored to."""
    return path.with_name(f"{path.name}.before-restore")


def refuse_data(order: Order) -> None:
    """Raise AgentError when somebody would lose something."""
    count = f"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema NOT IN ({OWN})"  # noqa: S608 - fixed
    found = host.run("mariadb", "-NBe", count).strip()
    held = f"{found} tables in its database" if found != "0" else None
    for place in (Path(home, name) for home in order["sites"].values() for name in ("shared", "releases")):
        there = (os.path.join(top, name) for top, _, names in os.walk(place) for name in names)
        held = held or next((path for path in there if path not in order["own"]), None)
    if held is not None:
        raise host.AgentError(f"this host has data, and is no new one: {held}")


def _take_in(stream: BinaryIO, order: Order) -> None:
    """Unpack into a directory of our own, and make it whose it shall be."""
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(mode=0o700)
    _unpack(stream)
    wanted = ["data", *(f"keys/{Path(key).name}" for key in order["keys"])]
    wanted += [f"sites/{name}" for name in order["sites"]]
    if gone := [name for name in wanted if not (STAGE / name).exists()]:
        raise host.AgentError(f"the connection ended before everything had come: {', '.join(gone)}")
    for name in ("data", "keys"):
        give(STAGE / name, "mysql", {})
        host.run("chmod", "--recursive", "u+rwX,go-rwx", str(STAGE / name))
    for name in order["sites"]:
        home = STAGE / "sites" / name
        give(home, name, {0: "root"})
        shutil.chown(home, "root", "www-data")
        home.chmod(0o755)


def _unpack(stream: BinaryIO) -> None:
    words = ["tar", "--extract", "--file=-", f"--directory={STAGE}", "--numeric-owner", "--same-owner", "-p"]
    with LOG.open("w+b") as log:
        tar = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=log, env=host.ENVIRONMENT)
        # What tar says when it ends early is in the log.
        with tar, contextlib.suppress(BrokenPipeError):
            shutil.copyfileobj(stream, cast(BinaryIO, tar.stdin), 1 << 20)
        if tar.returncode != 0:
            log.seek(0)
            said = log.read()[-host.TAIL :].decode(errors="replace").strip()
            raise host.AgentError(f"what came could not be unpacked: {said}")


def give(tree: Path, owner: str, groups: dict[int, str]) -> None:
    """Make a tree an account's: the numbers in it are those of another host.

    What was root's stays root's where `groups` name root. Nothing acts as somebody else (setuid), and of devices,
    sockets and the like nothing is left.
    """
    for top, names, files in os.walk(tree):
        links = [name for name in names if os.path.islink(os.path.join(top, name))]
        for path in (Path(top), *(Path(top, name) for name in (*links, *files))):
            found = path.lstat()
            account = "root" if found.st_uid == 0 and 0 in groups else owner
            group = groups.get(found.st_gid, owner)
            if stat.S_ISLNK(found.st_mode):
                host.own(path, account, group)
            elif stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
                host.own(path, account, group)
                path.chmod(stat.S_IMODE(found.st_mode) & (0o3777 if stat.S_ISDIR(found.st_mode) else 0o777))
            else:
                path.unlink()


@contextlib.contextmanager
def _timers_stopped() -> Iterator[None]:
    """No job of opsctl looks at the host meanwhile."""
    timers = [each.name for each in UNITS.glob("opsctl-*.timer") if each.read_text().startswith(MARK)]
    services = [f"{name.removesuffix('.timer')}.service" for name in timers]
    if not timers:
        yield
        return
    host.run("systemctl", "stop", *timers, *services, timeout_s=START_TIMEOUT_S)
    try:
        yield
    finally:
        host.run("systemctl", "start", *timers)


def _put(order: Order) -> None:
    """Put everything in place and see it work, or put everything back."""
    moved: Moved = []
    try:
        host.run("systemctl", "stop", "mariadb.service", timeout_s=START_TIMEOUT_S)
        _replace(STAGE / "data", DATA, moved)
        for key in map(Path, order["keys"]):
            _replace(STAGE / "keys" / key.name, key, moved)
        for name, home in order["sites"].items():
            _replace(STAGE / "sites" / name, Path(home), moved)
        _begin(order)
        host.run("sync", timeout_s=MOVE_TIMEOUT_S)
    except BaseException as error:
        try:
            _put_back(order, moved)
        except (host.AgentError, OSError) as second:
            text = f"{error}; putting back what was there failed as well, so do it again: {second}"
            raise host.AgentError(text) from error
        raise
    for _, aside in moved:
        _remove(aside)


def _replace(source: Path, target: Path, moved: Moved) -> None:
    """Put one thing in the place of another, which is kept aside; what a killed run has kept there stays."""
    if target.is_dir() and os.path.ismount(target):
        raise host.AgentError(f"{target} is a mount point, which cannot be moved aside: mount what is above it")
    beside, aside = target.with_name(f".{target.name}.restored"), aside_of(target)
    _remove(beside)
    _move(source, beside)
    moved.append((target, aside))
    if os.path.lexists(aside):
        _remove(target)
    else:
        _move(target, aside)
    _move(beside, target)
    host.sync_directory(target.parent)


def _begin(order: Order) -> None:
    """Start the database on what was restored, with the accounts of this host, and let the sites answer."""
    host.run("systemctl", "start", "mariadb.service", timeout_s=START_TIMEOUT_S)
    state = order["gtid_state"]
    if state and re.fullmatch(r"[0-9,-]+", state):
        host.run("mariadb", stdin=f"RESET MASTER; SET GLOBAL gtid_binlog_state = '{state}';")
    for file in map(Path, order["sql"]):
        host.run("mariadb", stdin=file.read_text())
    for unit in order["units"]:
        host.run("systemctl", "restart", unit)
    for words in order["health"]:
        host.run(*words, timeout_s=60)


def _put_back(order: Order, moved: Moved) -> None:
    host.run("systemctl", "stop", "mariadb.service", timeout_s=START_TIMEOUT_S)
    for target, aside in reversed(moved):
        if os.path.lexists(aside):
            _remove(target)
            _move(aside, target)
    host.run("systemctl", "start", "mariadb.service", timeout_s=START_TIMEOUT_S)
    for unit in order["units"]:
        host.run("systemctl", "restart", unit)


def _move(source: Path, target: Path) -> None:
    """Rename; what lies on another file system, or in a layer of one, is copied."""
    host.run("mv", "--no-target-directory", str(source), str(target), timeout_s=MOVE_TIMEOUT_S)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
