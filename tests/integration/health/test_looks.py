"""Looks at disks, certificates and PHP: each thing is broken for real, and seen within one look."""

import contextlib
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl.core.clock import utcnow
from opsctl.core.probe import Probe
from opsctl.core.result import Outcome, Result
from opsctl.core.runner import LocalRunner
from opsctl.health.certificates import certificate_probes
from opsctl.health.disk import disk_probes
from opsctl.health.php_fpm import php_fpm_probe
from opsctl.health.settings import HealthSection, TimerSection
from opsctl.health.systemd import timer_probes, unit_probe
from opsctl.stack.settings import NginxSection
from tests.contracts.probe import ProbeContract
from tests.support.certificates import Authority
from tests.support.disk import MIB, Disk, small_disk

NO_NGINX = NginxSection(enabled=False)
ROOT = Path("/")


def outcome(probe: Probe) -> tuple[Outcome, str]:
    result = probe.run(LocalRunner())
    return result.outcome, result.found


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "small", 8 * MIB) as made:
        yield made


def test_a_disk_that_fills_is_seen(disk: Disk) -> None:
    room, _ = disk_probes(HealthSection(disks=(disk.path,), min_free_percent=20))
    assert outcome(room)[0] is Outcome.PASSED
    disk.leave(MIB)
    found = room.run(LocalRunner())
    assert found.outcome is Outcome.FAILED
    assert found.figures["free_bytes"] == disk.free
    disk.make_room()
    assert outcome(room)[0] is Outcome.PASSED


def test_a_disk_without_inodes_is_seen_although_there_is_room(disk: Disk) -> None:
    room, inodes = disk_probes(HealthSection(disks=(disk.path,)))
    assert outcome(inodes)[0] is Outcome.PASSED
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (disk.path / str(number)).touch()
    assert outcome(inodes)[0] is Outcome.FAILED
    assert outcome(room)[0] is Outcome.PASSED


def test_a_directory_that_is_not_there_could_not_be_looked_at(tmp_path: Path) -> None:
    for probe in disk_probes(HealthSection(disks=(tmp_path / "absent",))):
        assert outcome(probe)[0] is Outcome.COULD_NOT_RUN


def certificate(file: Path) -> Result:
    [probe] = certificate_probes(ROOT, [file], NO_NGINX, 14)
    return probe.run(LocalRunner())


@pytest.mark.parametrize(
    ("days", "wanted", "words"),
    [(90, Outcome.PASSED, "until"), (5, Outcome.FAILED, "ends in 5.0 days"), (-2, Outcome.FAILED, "it ended on")],
)
def test_a_certificate_is_judged_by_its_end(tmp_path: Path, days: int, wanted: Outcome, words: str) -> None:
    found = certificate(Authority(tmp_path).issue("blog.example", days=days).certificate)
    assert found.outcome is wanted
    assert words in found.found


def test_a_certificate_of_tomorrow_is_no_certificate_today(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("blog.example", since=utcnow() + timedelta(days=1))
    assert "it begins on" in certificate(issued.certificate).found


def test_what_is_no_certificate_or_not_there_could_not_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "notes.pem").write_text("none")
    for name in ("notes.pem", "absent.pem"):
        assert certificate(tmp_path / name).outcome is Outcome.COULD_NOT_RUN


def test_the_certificates_that_nginx_names_are_looked_at(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("blog.example", days=3)
    config = tmp_path / "nginx.conf"
    config.write_text(f"events {{}} http {{ server {{ ssl_certificate {issued.certificate}; }} }}\n")
    [probe] = certificate_probes(ROOT, [], NginxSection(config=config), 14)
    assert outcome(probe)[0] is Outcome.FAILED
    config.write_text("events { http {")
    [probe] = certificate_probes(ROOT, [], NginxSection(config=config), 14)
    assert outcome(probe)[0] is Outcome.COULD_NOT_RUN


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("p")


def test_a_pool_that_died_and_left_its_socket_is_a_failure(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as died:
        died.bind(str(place / "php.sock"))
        died.listen()
    for name in ("php.sock", "never.sock"):
        found = php_fpm_probe(place / name, 5).run(LocalRunner())
        assert found.outcome is Outcome.FAILED
        assert "no worker answers" in found.found


def test_php_whose_workers_are_all_busy_is_a_failure_at_its_deadline(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(place / "php.sock"))
        busy.listen()
        found = php_fpm_probe(place / "php.sock", 0.5).run(LocalRunner())
    assert found.outcome is Outcome.FAILED
    assert "no whole answer within 0.5 s" in found.found


def test_php_whose_queue_is_full_is_a_failure(place: Path) -> None:
    path = str(place / "php.sock")
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(socket.socket(socket.AF_UNIX))
        busy.bind(path)
        busy.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(path)
        found = php_fpm_probe(Path(path), 5).run(LocalRunner())
    assert found.outcome is Outcome.FAILED
    assert "no worker answers" in found.found


class TestContract(ProbeContract):
    @pytest.fixture(params=["disk", "unit", "timer", "php", "certificate"])
    def probe(self, request: pytest.FixtureRequest, tmp_path: Path) -> Probe:
        return {
            "disk": disk_probes(HealthSection())[0],
            "unit": unit_probe("nginx.service", 5),
            "timer": timer_probes([TimerSection(unit="apt-daily.timer")], 5)[0],
            "php": php_fpm_probe(tmp_path / "none.sock", 1),
            "certificate": certificate_probes(ROOT, [tmp_path / "none.pem"], NO_NGINX, 14)[0],
        }[request.param]
