"""Whatever lies in a site's tree: what is archived comes back as it was, and the rest is told."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opsctl.core.errors import ExitCode
from tests.integration.bad_input.refusals import is_refusal, refuses
from tests.integration.kills.machine import Ended, Machine
from tests.support.mariadb import give_to_server

NAMES = (
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    b"with spaces  and a tab\t",
    b" leading",
    b"line\nbreak",
    b"not-utf8-\xff\xfe",
    b"quotes'\"`$(id)\\",
    b"-rf",
    b"--checkpoint-action=exec=false",
    b"n" * 254,
    "表".encode() * 84 + b"no",
    b"*?[x]",
    b"\x01\x1b[31mred",
)


def site(machine: Machine) -> Path:
    return machine.directory / "root/srv/site"


def with_uploads(machine: Machine) -> Path:
    """Let a directory of the site be its uploads, whose files a drill counts and compares."""
    uploads = site(machine) / "uploads"
    uploads.mkdir()
    paths = 'paths = ["/srv/site"]'
    text = machine.config.read_text()
    assert paths in text
    machine.config.write_text(text.replace(paths, f'{paths}\nuploads = "/srv/site/uploads"'))
    return uploads


def fill(uploads: Path) -> None:
    """Odd names, links of both kinds, empty directories."""
    for number, name in enumerate(NAMES):
        Path(os.fsdecode(os.fsencode(uploads) + b"/" + name)).write_text(f"content {number}")
        folder = os.fsencode(uploads) + b"/d" + name[:253]
        os.mkdir(folder)
        Path(os.fsdecode(folder + b"/f")).write_text("below")
    (uploads / "empty").mkdir()
    (uploads / "hard").write_text("one file, two names")
    os.link(uploads / "hard", uploads / "hard-2")
    (uploads / "out").symlink_to("/etc/passwd")
    (uploads / "up").symlink_to("../../../../etc/shadow")
    (uploads / "round").symlink_to(".")
    (uploads / "nowhere").symlink_to("/not/there")
    (uploads / os.fsdecode(b"link-\xff")).symlink_to(os.fsdecode(b"\xff-target"))


@contextmanager
def special_files(uploads: Path) -> Iterator[None]:
    """A FIFO that nobody writes to, and a socket."""
    os.mkfifo(uploads / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(uploads / "socket"))
        yield


def files_of(machine: Machine) -> dict[str, Any]:
    manifest = json.loads(machine.succeed("backup", "show", "--json"))["manifest"]
    found: dict[str, Any] = next(each for each in manifest["files"] if each["name"] == "site")
    return found


def listed(tree: Path) -> dict[bytes, object]:
    """Each name with what it is and holds; names are bytes."""
    found: dict[bytes, object] = {}
    for folder, directories, names in os.walk(os.fsencode(tree)):
        for name in (*directories, *names):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content: object = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                content = (Path(os.fsdecode(path)).read_bytes(), status.st_nlink)
            found[os.path.relpath(path, os.fsencode(tree))] = (status.st_mode, content)
    return found


def test_odd_names_and_links_come_back_and_pass_a_drill(machine: Machine) -> None:
    uploads = with_uploads(machine)
    fill(uploads)
    expected = listed(site(machine))
    with special_files(uploads):
        machine.succeed("backup", "run")
    assert files_of(machine)["left_out"] == 2
    machine.succeed("binlog", "ship")
    report = json.loads(machine.opsctl("drill", "run", "--json").out)["report"]["body"]["results"]
    assert [result["outcome"] for result in report] == ["passed"] * 8, report
    target = machine.directory / "restored"
    machine.succeed("restore", "--to", str(target))
    restored = target / "files/srv/site"
    assert listed(restored) == expected


def test_empty_trees_are_archived(machine: Machine) -> None:
    uploads = with_uploads(machine)
    for path in site(machine).iterdir():
        if path != uploads:
            path.unlink()
    machine.succeed("backup", "run")
    machine.succeed("binlog", "ship")
    ended = machine.opsctl("drill", "run")
    assert ended.code == 0, ended


def test_a_site_that_is_not_there_is_named(machine: Machine) -> None:
    shutil.rmtree(site(machine))
    refuses(machine, "backup run", ExitCode.FAILED, "/srv/site", "is not there")


def test_files_that_change_and_vanish_while_they_are_read_are_recorded(machine: Machine) -> None:
    """A log that never stops growing, and sessions that come and go."""
    busy = site(machine) / "busy"
    busy.mkdir()
    log = busy / "log"
    with log.open("wb") as file:
        file.truncate(64 << 20)
    ended = threading.Event()

    def work() -> None:
        number = 0
        with log.open("ab", buffering=0) as file:
            while not ended.is_set():
                number += 1
                session = busy / f"session-{number % 50}"
                session.write_bytes(b"x" * 5000)
                file.write(b"line\n")
                session.unlink()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        machine.succeed("backup", "run")
    finally:
        ended.set()
        worker.join()
    assert files_of(machine)["changed"] >= 1
    machine.succeed("binlog", "ship")
    assert machine.opsctl("drill", "run").code == 0


def test_an_upload_that_may_not_be_read_is_named_and_makes_no_backup(machine: Machine) -> None:
    unreadable = site(machine) / "unreadable.jpg"
    unreadable.write_text("x")
    before = list(machine.repository.glob("acme/backups/*"))
    ended = as_another_user(machine, unreadable, "backup", "run")
    is_refusal(ended, ExitCode.FAILED, "/srv/site/unreadable.jpg", "Permission denied")
    assert list(machine.repository.glob("acme/backups/*")) == before


def as_another_user(machine: Machine, not_theirs: Path, *words: str) -> Ended:
    """Run a command as the user that the database runs as, to whom all belongs but one file."""
    give_to_server(machine.directory)
    os.chown(not_theirs, 0, 0)
    not_theirs.chmod(0o600)
    argv = ("setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", sys.executable, "-m", "opsctl")
    done = subprocess.run(
        [*argv, *words, "--config", str(machine.config)], capture_output=True, text=True, check=False, timeout=120
    )
    return Ended(done.returncode, done.stdout, done.stderr)
