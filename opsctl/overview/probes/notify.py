"""Probes of the addresses that messages and pings go to."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from opsctl.core.errors import AuthError
from opsctl.core.look import Look, Seen, good
from opsctl.core.notify.settings import ChannelSection, NotifySection
from opsctl.core.runner import Runner
from opsctl.core.secret_file import read_secret


def address_probes(notify: NotifySection, channels: tuple[ChannelSection, ...]) -> Iterator[Look]:
    """The file of each address is there, has one line, and nobody else can read it."""
    named = [(channel.name, channel.url_file) for channel in channels]
    if notify.ping_url_file is not None:
        named.append(("ping", notify.ping_url_file))
    for name, file in named:
        yield Look(
            f"notify.{name.replace('-', '_')}",
            f"the address of {name} is private",
            "one line in a file of mode 0600",
            partial(_look, file),
            failing=(AuthError,),
        )


def _look(file: Path, host: Runner) -> Seen:
    read_secret(file)
    return good(str(file))
