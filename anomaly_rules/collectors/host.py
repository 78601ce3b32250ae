"""The host: file systems, security updates, the clock, certificates."""

import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from anomaly_rules.collectors import Reading, Span, gauges, labels
from anomaly_rules.metric import Cadence, Metric
from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.process import Command, command
from opsctl.core.rule import Labels, MetricId
from opsctl.core.runner import Runner


def _gauge(name: str, title: str, unit: str, *names: str, cadence: Cadence = Cadence.HOURLY) -> Metric:
    return Metric(id=MetricId(name), title=title, cadence=cadence, form="gauge", unit=unit, labels=names)


DISK = _gauge("host.disk_share", "used share of a file system", "share", "path", cadence=Cadence.DAILY)
INODES = _gauge("host.inodes_share", "used share of a file system's inodes", "share", "path", cadence=Cadence.DAILY)
UPDATES = _gauge("host.security_updates", "the number of security updates that are not installed", "")
OFFSET = _gauge("host.clock_offset", "the offset of the clock", "s")
CERTIFICATE = _gauge("host.certificate_days", "the time until a certificate ends", "days", "file")

LISTS_AGE = timedelta(days=3)
"""Package lists older than this say nothing about today's updates."""

_APT_TIMEOUT_S = 120.0
_NTP_PORT = 123
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_SECURITY = re.compile(rb"^Inst (\S+) .*\(.*security.*\)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Disks:
    """How full file systems are, as df counts: of what an ordinary user may use."""

    paths: Sequence[Path]
    name: str = "disks"
    metrics: tuple[Metric, ...] = (DISK, INODES)
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Look. Raises OSError for a path that is not there."""
        return gauges(span, (each for path in self.paths for each in _usage(path)))


def _usage(path: Path) -> Iterator[tuple[Metric, float, Labels]]:
    found = os.statvfs(path)
    used = found.f_blocks - found.f_bfree
    yield DISK, used / max(used + found.f_bavail, 1), labels(path=str(path))
    if found.f_files:  # some file systems make inodes as they need them
        yield INODES, (found.f_files - found.f_ffree) / found.f_files, labels(path=str(path))


@dataclass(frozen=True)
class SecurityUpdates:
    """What apt would install from a security archive; nothing is changed and no lock taken. `options` are apt's."""

    host: Runner
    lists: Path = Path("/var/lib/apt/lists")
    options: tuple[str, ...] = ()
    name: str = "security updates"
    metrics: tuple[Metric, ...] = (UPDATES,)
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Count. Raises OpsError when apt fails, or when its lists are so old that they say nothing."""
        newest = max((entry.stat().st_mtime for entry in (self.lists, *self.lists.glob("*InRelease"))), default=0.0)
        age = span.now - datetime.fromtimestamp(newest, UTC)
        if age > LISTS_AGE:
            raise OpsError(f"apt's package lists are {age.days} days old", hint="as root: apt-get update")
        done = self.host.run(apt_command(self.options), timeout_s=_APT_TIMEOUT_S)
        if not done.ok:
            said = next((line for line in done.stderr.splitlines() if line.startswith("E:")), done.stderr.strip())
            raise OpsError(f"apt-get cannot say what it would install: {said}", hint="run: apt-get --simulate upgrade")
        return gauges(span, [(UPDATES, len(set(_SECURITY.findall(done.stdout))), ())])


def apt_command(options: Sequence[str]) -> Command:
    """The words of a simulated upgrade."""
    return command("apt-get", "--quiet", "--simulate", "-o", "Debug::NoLocking=1", *options, "dist-upgrade")


@dataclass(frozen=True)
class Clock:
    """How far this machine's clock is from a time server's, by one SNTP request (RFC 4330)."""

    server: str
    timeout_s: float = 5.0
    name: str = "clock"
    metrics: tuple[Metric, ...] = (OFFSET,)
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Ask. Raises UnreachableError when nobody answers, OpsError when what answers has no time itself."""
        return gauges(span, [(OFFSET, abs(clock_offset(self.server, self.timeout_s)), ())])


def clock_offset(server: str, timeout_s: float) -> float:
    """Seconds by which a server's clock is ahead of this one's; `server` is a name, with or without `:port`."""
    name, _, port = server.partition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(timeout_s)
            link.connect((name, int(port or _NTP_PORT)))
            sent = time.time()
            stamp = _stamp(sent)
            link.send(struct.pack(">B39x8s", 0b00_100_011, stamp))  # version 4, client
            answer = link.recv(512)
            received = time.time()
    except OSError as error:
        raise UnreachableError(f"the time server does not answer: {error}", where=server) from error
    if len(answer) < 48 or answer[24:32] != stamp or answer[0] >> 6 == 3 or not 0 < answer[1] < 16:
        raise OpsError(
            "the time server has no time to give", where=server, hint="name another: [anomalies] time_server"
        )
    arrived, left = (_seconds(answer[at : at + 8]) for at in (32, 40))
    return ((arrived - sent) + (left - received)) / 2


def _stamp(moment: float) -> bytes:
    return struct.pack(">II", int(moment + _NTP_EPOCH) & 0xFFFFFFFF, int(moment % 1 * (1 << 32)))


def _seconds(stamp: bytes) -> float:
    whole, fraction = struct.unpack(">II", stamp)
    return float(whole - _NTP_EPOCH + fraction / (1 << 32))


@dataclass(frozen=True)
class Certificates:
    """The days that certificates are still good for. `files` are read anew each time, by name and place."""

    files: Callable[[], Sequence[tuple[str, Path]]]
    name: str = "certificates"
    metrics: tuple[Metric, ...] = (CERTIFICATE,)
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Read them. Raises OpsError for a file without a certificate, OSError for one that is not there."""
        found = [(CERTIFICATE, _days(place, span.now), labels(file=name)) for name, place in self.files()]
        return gauges(span, found)


def _days(file: Path, now: datetime) -> float:
    """Days until the first certificate of a file, the server's own, ends."""
    from cryptography import x509

    try:
        first = x509.load_pem_x509_certificates(file.read_bytes())[0]
    except ValueError as error:
        raise OpsError(f"there is no certificate in it: {error}", where=str(file)) from error
    return (first.not_valid_after_utc - now) / timedelta(days=1)
