"""The clock of a host: systemd-timesyncd, which asks Debian's servers or those of the inventory."""

from collections.abc import Iterator

from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.resources import Directory, Resource, Unit

PACKAGES = ("systemd-timesyncd",)
DROP_INS = "/etc/systemd/timesyncd.conf.d"


def ground(subject: Subject) -> Iterator[Resource]:
    """Where the table's file lies."""
    if "time-servers" in subject.features:
        yield Directory(path=DROP_INS)


def units() -> Iterator[Resource]:
    """What sets it; in a container, whose clock is another machine's, systemd holds it back."""
    yield Unit(name="systemd-timesyncd.service")
