"""The sandbox: what runs in it is nobody, sees nothing of this machine, reaches nothing, and dies with us."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.process import command, run
from opsctl.core.sandbox import Mount, give_to_sandbox, same_path, sandbox_owner, sandboxed


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that other users may pass through, as a scratch directory has to be."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def said(script: str, *mounts: Mount) -> str:
    """Both outputs of a shell script in the sandbox."""
    return run(sandboxed(command("sh", "-c", f"exec 2>&1; {script}"), mounts), timeout_s=20, check=False).text()


def test_it_is_not_root_and_has_no_capabilities() -> None:
    assert said("id -u") == str(sandbox_owner()[0])
    assert "CapEff:\t0000000000000000" in said("cat /proc/self/status")


def test_nothing_of_this_machines_files_is_in_sight(place: Path) -> None:
    (place / "identity.txt").write_text("AGE-SECRET-KEY-1")
    assert "AGE-SECRET-KEY" not in said(f"cat {place}/identity.txt; cat /etc/shadow /root/.ssh/id_ed25519")
    assert set(said("ls /").split()) == {
        "bin",
        "dev",
        "etc",
        "lib",
        "lib64",
        "proc",
        "run",
        "sbin",
        "tmp",
        "usr",
        "var",
    }
    assert said("ls /usr/share/wordpress /etc/mysql /etc/nginx /home /srv").count("No such file") == 5


def test_it_cannot_connect_to_this_machine() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.5)
        port = server.getsockname()[1]
        script = f"$s = @fsockopen('127.0.0.1', {port}, $no, $why, 2); echo $s ? 'connected' : $why;"
        assert said(f'php -r "{script.replace("$", chr(92) + "$")}"') == "Connection refused"
        with pytest.raises(TimeoutError):
            server.accept()


def test_programs_inside_meet_on_loopback() -> None:
    script = (
        "$s = stream_socket_server('tcp://127.0.0.1:0'); $n = stream_socket_get_name($s, false);"
        "$c = stream_socket_client('tcp://'.$n); fwrite($c, 'hi'); echo fread(stream_socket_accept($s), 2);"
    )
    assert said('php -r "{}"'.format(script.replace("$", r"\$"))) == "hi"


def test_only_what_is_writable_can_be_written(place: Path) -> None:
    for name in ("open", "shut"):
        (place / name).mkdir()
    give_to_sandbox(place)
    mounts = (same_path(place / "open", writable=True), Mount(place / "shut", Path("/srv/site")))
    script = f"touch {place}/open/x && echo written; touch /srv/site/x; touch /usr/bin/x; touch /etc/x"
    out = said(script, *mounts)
    assert out.startswith("written")
    assert out.count("Read-only file system") == 2
    assert (place / "open/x").stat().st_uid == sandbox_owner()[0]
    assert not Path("/etc/x").exists()


def test_a_tree_is_shown_at_its_original_path(place: Path) -> None:
    (place / "index.php").write_text("restored")
    give_to_sandbox(place)
    assert said("cat /usr/share/wordpress/index.php", Mount(place, Path("/usr/share/wordpress"))) == "restored"


HOST = """
import sys
from opsctl.core.process import command, spawn
from opsctl.core.sandbox import sandboxed
import subprocess
child = spawn(sandboxed(command("sh", "-c", "echo up; sleep 1000"), ()), stdin=None, stdout=subprocess.PIPE, stderr=2)
print(child.stdout.readline().decode().strip(), child.pid, flush=True)
sys.stdin.read()
"""


def test_it_dies_with_the_process_that_started_it() -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert host.stdout is not None
    up, pid = host.stdout.readline().split()
    assert up == b"up"
    watched = os.pidfd_open(int(pid))
    host.send_signal(signal.SIGKILL)
    host.communicate()
    ended, _, _ = select.select([watched], [], [], 20)
    os.close(watched)
    assert ended


def test_a_capability_is_one_only_inside() -> None:
    listen = r"php -r \"echo @stream_socket_server('tcp://127.0.0.1:80', \$no, \$why) ? 'listens' : \$why;\""
    listen = listen.replace('\\"', '"')
    granted = sandboxed(command("sh", "-c", listen), (), capabilities=("CAP_NET_BIND_SERVICE",))
    assert run(granted, timeout_s=20).text() == "listens"
    assert said(listen) == "Permission denied"
    chown = sandboxed(command("sh", "-c", "chown 0 /tmp 2>&1"), (), capabilities=("CAP_CHOWN",))
    assert run(chown, timeout_s=20, check=False).status != 0


def test_links_are_made_as_they_are_asked_for(place: Path) -> None:
    (place / "x").write_text("through a link")
    cmd = sandboxed(
        command("cat", "/var/run/x"), (Mount(place, Path("/run/there")),), links={"/var/run": "../run/there"}
    )
    assert run(cmd, timeout_s=20).text() == "through a link"
