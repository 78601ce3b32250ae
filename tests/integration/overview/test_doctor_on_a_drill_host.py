"""What doctor looks at where drills run, each thing broken once: sandbox, room, memory, versions, identities."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from opsctl.core import process
from opsctl.core.runner import LocalRunner
from opsctl.core.settings_example import toml_value
from opsctl.overview import wire
from opsctl.overview.probes.programs import ON_DRILL_HOST, ON_HOST, program_probes
from opsctl.overview.probes.repository import repository_probes
from tests.integration.overview.conftest import DrillHost
from tests.support.disk import MIB, small_disk

_PACKAGES = {"bwrap": "bubblewrap", "setpriv": "util-linux", "ssh-keygen": "openssh-client", "php": "php-cli"}
_NO_MORE = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
_WHEN_MAPPED = f"echo made; read -r mapped; exec sh -c '{_NO_MORE}' sh \"$@\""


def test_a_drill_host_as_it_should_be_passes_everything(drill_host: DrillHost) -> None:
    done = doctor(drill_host)
    assert {result["outcome"] for result in done["results"]} == {"passed"}, done


def doctor(machine: DrillHost, *before: str) -> dict[str, list[dict[str, str]]]:
    """`opsctl doctor --json` as a program of its own, behind other words."""
    words = (*before, sys.executable, "-m", "opsctl", "--config", str(machine.config), "doctor", "--json")
    found: dict[str, list[dict[str, str]]] = json.loads(subprocess.run(words, capture_output=True, check=False).stdout)
    return found


def test_a_kernel_that_gives_out_no_namespaces_fails_the_sandbox(drill_host: DrillHost) -> None:
    words = ["unshare", "--user", "sh", "-c", _WHEN_MAPPED, "sh", sys.executable, "-m", "opsctl"]
    child = subprocess.Popen(
        [*words, "--config", str(drill_host.config), "doctor", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "made\n"
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{child.pid}/{name}").write_text("0 0 70000")
    out, _ = child.communicate("mapped\n")
    (result,) = [result for result in json.loads(out)["results"] if result["id"] == "sandbox.runs"]
    assert result["outcome"] == "failed", result
    assert "sysctl user.max_user_namespaces" in result["hint"]


def test_a_sandbox_with_a_way_out_fails(drill_host: DrillHost) -> None:
    """A bubblewrap that leaves the network as it is, in a network of the test's own, which has a route."""
    real, leaky = drill_host.directory / "real", drill_host.directory / "leaky"
    shutil.copy("/usr/bin/bwrap", real)
    leaky.write_text(f'#!/bin/sh\nshift\nexec {real} --unshare-all --share-net "$@"\n')
    leaky.chmod(0o755)
    script = f'mount --bind {leaky} /usr/bin/bwrap; ip link set lo up; ip route add 10.0.0.0/8 dev lo; exec "$@"'
    results = doctor(drill_host, "unshare", "--net", "--mount", "sh", "-ec", script, "sh")["results"]
    (result,) = [result for result in results if result["id"] == "sandbox.runs"]
    assert (result["outcome"], result["found"]) == ("failed", "there is a route out of the sandbox"), result


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose programs come before all others."""
    monkeypatch.setitem(process.BASE_ENV, "PATH", f"{tmp_path}:{process.BASE_ENV['PATH']}")
    return tmp_path


def program(directory: Path, name: str, script: str) -> None:
    file = directory / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


@pytest.mark.parametrize("name", sorted({*ON_HOST, *ON_DRILL_HOST}))
def test_each_program_that_is_not_there_is_named_with_its_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(process.BASE_ENV, "PATH", "/nonexistent")
    (probe,) = program_probes((name,))
    result = probe.run(LocalRunner())
    assert result.outcome == "failed"
    assert "is not installed" in result.found
    assert (result.hint or "").startswith("apt-get install")
    assert _PACKAGES.get(name, "") in (result.hint or "")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("age", "v1.0.0"),
        ("bwrap", "bubblewrap 0.4.1"),
        ("zstd", "*** zstd command line interface 64-bits v1.4.8, by Yann Collet ***"),
        ("tar", "tar (GNU tar) 1.30"),
        ("php", "PHP 7.4.33 (cli) (built: Feb 22 2023 20:07:47) ( NTS )"),
        ("nginx", "nginx version: nginx/1.18.0"),
        ("setpriv", "setpriv from util-linux 2.36.1"),
        ("ssh", "OpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w  11 Sep 2023"),
    ],
)
def test_a_program_older_than_any_that_was_tried_fails(
    drill_host: DrillHost, programs: Path, name: str, says: str
) -> None:
    program(programs, name, f"echo '{says}'")
    probe_id = {"ssh": "program.ssh_keygen"}.get(name, f"program.{name}")
    drill_host.fails(probe_id, "is older than", "apt-get install")


def test_a_php_without_its_extension_for_databases_fails(
    drill_host: DrillHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(process.BASE_ENV, "PHP_INI_SCAN_DIR", "/nonexistent")
    drill_host.fails("program.php_mysqli", "apt-get install php-mysql")


@pytest.mark.parametrize("name", ["mariadbd", "mariadb-backup"])
def test_a_mariadb_too_old_for_the_newest_backup_fails(drill_host: DrillHost, programs: Path, name: str) -> None:
    program(programs, name, "echo 'Ver 10.6.23-MariaDB for debian-linux-gnu'")
    drill_host.fails("sandbox.mariadb", f"{name} 10.6.23 is here", "install MariaDB 10.11 or later")


def test_a_scratch_directory_without_room_fails(drill_host: DrillHost) -> None:
    with small_disk(drill_host.directory / "small", 16 * MIB) as disk:
        drill_host.replace(f'scratch_dir = "{drill_host.directory}/scratch"', f'scratch_dir = "{disk.path}"')
        drill_host.fails("sandbox.scratch", "GB are needed", f"df -h {disk.path}")


def test_a_scratch_directory_that_is_not_there_or_too_long_fails(drill_host: DrillHost) -> None:
    scratch = drill_host.directory / "scratch"
    long = scratch / ("x" * 60)
    drill_host.replace(f'scratch_dir = "{scratch}"', f'scratch_dir = "{long}"')
    drill_host.fails("sandbox.scratch", "is no directory", f"mkdir -p {long}")
    long.mkdir()
    drill_host.fails("sandbox.scratch", "too long a path for sockets")


def test_a_buffer_pool_that_does_not_fit_into_memory_fails(drill_host: DrillHost) -> None:
    drill_host.replace("[drill]", "[drill]\nbuffer_pool_mb = 100000000")
    drill_host.fails("sandbox.memory", "are needed", "drill.buffer_pool_mb", "free -h")


def test_a_repository_without_room_for_two_backups_fails(drill_host: DrillHost) -> None:
    with small_disk(drill_host.directory / "small", 64 * MIB) as disk:
        drill_host.replace(f'path = "{drill_host.directory}/repository"', f'path = "{disk.path}"')
        looks = repository_probes("local", wire.catalog(drill_host.settings), writes=True)
        (result,) = [look.run(LocalRunner()) for look in looks if look.id == "repository.local.space"]
        assert result.outcome == "failed"
        assert f"df -h {disk.path}" in (result.hint or "")


@pytest.mark.parametrize(
    ("file", "archive", "setting"),
    [("identity.txt", "db", "drill.identity_files"), ("keys-identity.txt", "keys", "drill.keys_identity_files")],
)
def test_an_identity_that_does_not_open_the_newest_backup_fails(
    drill_host: DrillHost, file: str, archive: str, setting: str
) -> None:
    drill_host.passes("identities.match")
    (drill_host.directory / "keys" / file).write_text(f"{pyrage.x25519.Identity.generate()}\n")
    drill_host.passes(f"identities.{'keys' if archive == 'keys' else 'data'}")
    drill_host.fails("identities.match", f"{archive} of backup", setting, "age-keygen -y")


def test_a_repository_that_does_not_answer_fails_and_what_needs_it_could_not_be_looked_at(
    drill_host: DrillHost,
) -> None:
    with drill_host.config.open("a") as settings:
        key = (drill_host.directory / "keys/signing_key.pub").read_text().strip()
        values = {"name": "off-site", "kind": "sftp", "host": "127.0.0.1", "port": 9, "user": "nobody", "path": "/x"}
        more = {"key_file": drill_host.directory / "keys/signing_key", "host_keys": [key]}
        settings.write("\n[[repositories]]\n")
        settings.writelines(f"{name} = {toml_value(value)}\n" for name, value in {**values, **more}.items())
    result = drill_host.look("repository.off_site.readable")
    assert result.outcome == "failed"
    assert "cannot be reached" in result.found
    assert result.hint
    drill_host.passes("repository.local.readable")


def test_without_root_what_this_user_may_not_write_fails(drill_host: DrillHost) -> None:
    """The state directory belongs to root: another user's doctor says what to type."""
    drill_host.directory.chmod(0o755)
    for path in drill_host.directory.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    who = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    results = {result["id"]: result for result in doctor(drill_host, *who)["results"]}
    for probe_id in ("files.state", "repository.local.writable", "sandbox.scratch"):
        assert results[probe_id]["outcome"] == "failed"
        assert results[probe_id]["hint"]
