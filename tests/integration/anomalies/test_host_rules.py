"""Rules about the host: real file systems, a real journal, apt on a real repository, a time server, certificates."""

import contextlib
import math
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from anomaly_rules.collectors.host import Certificates, Clock, Disks, SecurityUpdates
from anomaly_rules.collectors.journal import FailedLogins, Journal, Restarts
from opsctl.core.clock import utcnow
from opsctl.core.runner import LocalRunner
from tests.support.disk import MIB, Disk, small_disk
from tests.support.measuring import NOW, Bench

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name, small_disk(Path(name) / "d", 32 * MIB) as made:
        yield made


def days_of(disk: Disk, tmp_path: Path, room: Callable[[int], float]) -> Bench:
    """Three weeks, on each of which the disk has so much room (MiB)."""
    bench = Bench(tmp_path, [Disks([disk.path])])
    for day in range(21):
        disk.leave(int(room(day) * MIB))
        bench.read(NOW - (20 - day) * DAY)
    return bench


def test_a_disk_that_comes_and_goes_as_always_raises_nothing(disk: Disk, tmp_path: Path) -> None:
    bench = days_of(disk, tmp_path, lambda day: 16 + 2 * math.sin(day * 2.1))
    for rule in ("disk-forecast", "disk-full", "inodes"):
        bench.assert_quiet(rule)


def test_a_disk_that_fills_is_found_before_it_is_full(disk: Disk, tmp_path: Path) -> None:
    bench = days_of(disk, tmp_path, lambda day: 24 - 0.8 * day + math.sin(day * 2.1) / 2)
    found = bench.assert_fires("disk-forecast")
    assert "in 8 days" in found.sentence or "in 9 days" in found.sentence
    bench.assert_quiet("disk-full")


def test_a_disk_that_is_full_at_once_is_found_without_any_history(disk: Disk, tmp_path: Path) -> None:
    disk.leave(1 * MIB)
    bench = Bench(tmp_path, [Disks([disk.path])])
    bench.read()
    bench.assert_fires("disk-full")


def test_inodes_that_run_out_are_found_while_there_is_room(disk: Disk, tmp_path: Path) -> None:
    disk.make_room()
    files = disk.path / "sessions"
    files.mkdir()
    total = os.statvfs(disk.path).f_files
    for number in range(int(total * 0.93)):
        (files / f"sess_{number}").touch()
    bench = Bench(tmp_path, [Disks([disk.path])])
    bench.read()
    shutil.rmtree(files)
    bench.assert_fires("inodes")
    bench.assert_quiet("disk-full")


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    (done,) = Bench(tmp_path, [Disks([tmp_path / "gone"])]).collect()
    assert "gone" in (done.why or "")


_JOURNALD = """
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log/journal /run/systemd/journald.conf.d
printf '[Journal]\\nReadKMsg=no\\n' > /run/systemd/journald.conf.d/no.conf
/lib/systemd/systemd-journald & journald=$!
python3 -c '
import socket, sys
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while True:
    try:
        link.connect("/run/systemd/journal/socket")
        break
    except OSError:
        continue
for line in sys.stdin.read().split("\\n\\n"):
    link.send(line.encode() + b"\\n")
'
journalctl --sync
kill $journald
wait $journald || true
cp -r /run/log/journal "$1"
"""


def journal(directory: Path, *entries: dict[str, str]) -> Journal:
    """A journal that a real journald has written, now, with these entries."""
    text = "\n\n".join("\n".join(f"{name}={value}" for name, value in entry.items()) for entry in entries)
    place = directory / "journal"
    subprocess.run(
        ["unshare", "--mount", "bash", "-c", _JOURNALD, "journald", str(place)], input=text.encode(), check=True,
        capture_output=True,
    )  # fmt: skip
    return Journal(LocalRunner(), next(each for each in place.iterdir() if each.is_dir()))


def restart(unit: str) -> dict[str, str]:
    """What systemd writes when it starts a unit again (its message catalogue)."""
    return {
        "MESSAGE_ID": "5eb03494b6584870a536b337290809b3", "UNIT": unit,
        "MESSAGE": f"{unit}: Scheduled restart job, restart counter is at 1.",
    }  # fmt: skip


def next_hour() -> datetime:
    return utcnow() + HOUR


def test_a_service_that_crashes_again_and_again_is_found_and_one_that_crashed_once_is_not(tmp_path: Path) -> None:
    entries = [restart("php8.2-fpm.service")] * 5 + [restart("nginx.service"), {"MESSAGE": "Started nginx.service."}]
    bench, later = Bench(tmp_path, [Restarts(journal(tmp_path, *entries))]), next_hour()
    bench.read(later)
    bench.assert_fires("service-restarting", later, about="php8.2-fpm")
    assert len(bench.findings("service-restarting", later)) == 1


def test_a_quiet_journal_raises_nothing(tmp_path: Path) -> None:
    bench, later = Bench(tmp_path, [Restarts(journal(tmp_path, {"MESSAGE": "all is well"}))]), next_hour()
    bench.read(later)
    bench.assert_quiet("service-restarting", later)


def test_failed_logins_are_counted_once_for_each_attempt(tmp_path: Path) -> None:
    said = (
        ("sshd", "Invalid user admin from 203.0.113.9 port 4022"),
        ("sshd", "Failed password for invalid user admin from 203.0.113.9 port 4022 ssh2"),
        ("sshd", "Failed password for root from 203.0.113.9 port 4023 ssh2"),
        ("sshd", "Failed none for invalid user x from 203.0.113.9 port 4024 ssh2"),
        ("sshd", "Accepted publickey for ops from 198.51.100.2 port 51001 ssh2"),
        ("sudo", "pam_unix(sudo:auth): authentication failure; logname=ops uid=1000"),
        ("cron", "Failed password for nobody"),
    )
    found = journal(tmp_path, *({"SYSLOG_IDENTIFIER": name, "MESSAGE": text} for name, text in said))
    bench, later = Bench(tmp_path, [FailedLogins(found, None)]), next_hour()
    bench.read(later)
    assert sum(bench.series("host.failed_logins", later).values) == 3


def test_a_journal_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (done,) = Bench(tmp_path, [Restarts(Journal(LocalRunner(), tmp_path / "none"))]).collect()
    assert "the journal cannot be read" in (done.why or "")
    assert "systemd-journal" in (done.hint or "")


def auth_log(path: Path, attempts: Callable[[datetime], int]) -> FailedLogins:
    """Two weeks of attempts, as rsyslog writes them in Debian 12 and, the older half, as it did before."""
    lines = []
    for back in reversed(range(1, 14 * 24)):
        at = NOW.replace(minute=5) - back * HOUR
        stamp = at.isoformat() if back < 7 * 24 else f"{at:%b %e %H:%M:%S}"
        lines += [
            f"{stamp} web1 sshd[{n}]: Failed password for root from 203.0.113.7 port {n} ssh2"
            for n in range(attempts(at))
        ]
    half = len(lines) // 2
    (path / "auth.log.1").write_text("\n".join(lines[:half]) + "\n")
    (path / "auth.log").write_text("\n".join(lines[half:]) + "\n")
    return FailedLogins(None, path / "auth.log")


def noise(at: datetime) -> int:
    return 12 + (at.day * 7 + at.hour * 5) % 9


def test_the_usual_robots_raise_nothing_and_their_lines_are_all_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [auth_log(tmp_path, noise)])
    bench.read()
    bench.assert_quiet("failed-logins")
    found = bench.series("host.failed_logins")
    assert found.values[-1] == noise(NOW - HOUR)
    assert sum(found.values) == sum(noise(NOW.replace(minute=5) - back * HOUR) for back in range(1, 14 * 24))


def test_an_attack_on_logins_is_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [auth_log(tmp_path, lambda at: 400 if at > NOW - 2 * HOUR else noise(at))])
    bench.read()
    bench.assert_fires("failed-logins")


@pytest.fixture
def apt(tmp_path: Path) -> "Apt":
    return Apt(tmp_path)


class Apt:
    """A host with one package, and a security archive that it takes updates from."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("lists/partial", "cache/archives/partial", "repository", "dpkg", "empty"):
            (directory / name).mkdir(parents=True)
        (directory / "dpkg/status").write_text(self._package("1.0", "Status: install ok installed\n"))
        (directory / "sources.list").write_text(f"deb [trusted=yes] file:{directory}/repository ./\n")
        self.offer("1.0")

    def _package(self, version: str, more: str) -> str:
        return f"Package: libshop\nVersion: {version}\nArchitecture: all\nMaintainer: a@b\nDescription: x\n{more}\n"

    def offer(self, version: str, suite: str = "stable-security") -> None:
        """Put a version into the archive, and have apt read its lists."""
        repository = self.directory / "repository"
        more = f"Filename: ./libshop.deb\nSize: 10\nSHA256: {'0' * 64}\n"
        (repository / "Packages").write_text(self._package(version, more))
        (repository / "Release").write_text(
            f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nDate: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} UTC\n"
        )
        subprocess.run(
            ["apt-get", *self.options, "--quiet", "update", "--allow-releaseinfo-change"],
            check=True,
            capture_output=True,
        )

    @property
    def options(self) -> tuple[str, ...]:
        here = self.directory
        named = {
            "Dir::State": here, "Dir::State::lists": here / "lists", "Dir::State::status": here / "dpkg/status",
            "Dir::Cache": here / "cache", "Dir::Etc::sourcelist": here / "sources.list",
            "Dir::Etc::sourceparts": here / "empty", "APT::Sandbox::User": "root",
        }  # fmt: skip
        return tuple(word for name, value in named.items() for word in ("-o", f"{name}={value}"))

    @property
    def collector(self) -> SecurityUpdates:
        return SecurityUpdates(LocalRunner(), self.directory / "lists", self.options)


def test_a_host_that_is_up_to_date_raises_nothing(apt: Apt, tmp_path: Path) -> None:
    bench, now = Bench(tmp_path, [apt.collector]), utcnow()
    bench.read(now)
    bench.read(now + HOUR)
    bench.assert_quiet("security-updates", now + HOUR)


def test_a_security_update_that_is_missing_twice_is_found_and_another_update_is_not(apt: Apt, tmp_path: Path) -> None:
    bench, now = Bench(tmp_path, [apt.collector]), utcnow()
    apt.offer("1.1", suite="stable-updates")
    bench.read(now - HOUR)
    apt.offer("1.1")
    bench.read(now)
    bench.assert_quiet("security-updates", now)
    bench.read(now + HOUR)
    assert bench.assert_fires("security-updates", now + HOUR).evidence.value == 1


def test_package_lists_that_are_old_say_nothing(apt: Apt, tmp_path: Path) -> None:
    (done,) = Bench(tmp_path, [apt.collector]).collect(utcnow() + 5 * DAY)
    assert "package lists are 5 days old" in (done.why or "")
    assert "apt-get update" in (done.hint or "")


@contextlib.contextmanager
def time_server(ahead_s: float, *, stratum: int = 2) -> Iterator[str]:
    """A time server (RFC 4330) whose clock is that much ahead."""

    def stamp(moment: float) -> bytes:
        return struct.pack(">II", int(moment + 2_208_988_800), int(moment % 1 * 2**32))

    def serve() -> None:
        while True:
            request, sender = link.recvfrom(512)
            if not request:
                return
            now = time.time() + ahead_s
            head = struct.pack(">BBbb12x", 0b00_100_100, stratum, 6, -20)
            link.sendto(head + stamp(now) + request[40:48] + stamp(now) + stamp(now), sender)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{link.getsockname()[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", link.getsockname())
            thread.join()


@pytest.mark.parametrize("ahead_s", [90.0, -3.5])
def test_a_clock_that_is_wrong_is_found(tmp_path: Path, ahead_s: float) -> None:
    with time_server(ahead_s) as server:
        bench = Bench(tmp_path, [Clock(server)])
        bench.read()
    assert bench.assert_fires("clock-drift").evidence.value == pytest.approx(abs(ahead_s), abs=1)


def test_a_clock_that_is_right_raises_nothing(tmp_path: Path) -> None:
    with time_server(0.2) as server:
        bench = Bench(tmp_path, [Clock(server)])
        bench.read()
    bench.assert_quiet("clock-drift")


def test_a_time_server_that_has_no_time_or_is_gone_is_told(tmp_path: Path) -> None:
    with time_server(0, stratum=16) as server:
        (done,) = Bench(tmp_path, [Clock(server)]).collect()
    assert "has no time to give" in (done.why or "")
    (done,) = Bench(tmp_path, [Clock("127.0.0.1:9", timeout_s=1)]).collect()
    assert "does not answer" in (done.why or "")


def certificate(path: Path, days: float) -> Path:
    """A certificate that ends so many days after NOW."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - 90 * DAY)
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_that_ends_soon_is_found_and_a_fresh_one_is_not(tmp_path: Path) -> None:
    old, fresh = certificate(tmp_path / "old.pem", 9), certificate(tmp_path / "fresh.pem", 60)
    bench = Bench(tmp_path, [Certificates(lambda: [("old.pem", old), ("fresh.pem", fresh)])])
    bench.read()
    assert bench.assert_fires("certificate", about="old.pem").evidence.value == pytest.approx(9, abs=0.01)
    assert len(bench.findings("certificate")) == 1


def test_a_file_without_a_certificate_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    (done,) = Bench(tmp_path, [Certificates(lambda: [("empty.pem", tmp_path / "empty.pem")])]).collect()
    assert "there is no certificate in it" in (done.why or "")
    assert "empty.pem" in (done.why or "")
