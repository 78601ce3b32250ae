"""The notifier: takes trouble in, tells it, tries again what did not arrive, and never fails whoever called it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.ledger import Ledger
from opsctl.core.machine import MachineSection
from opsctl.core.notify.outbox import Message, Outbox, Trouble
from opsctl.core.notify.send import ping, send
from opsctl.core.notify.settings import ChannelSection, NotifySection
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.rule import Severity
from opsctl.core.secret_file import read_secret

NOTIFICATION = "notification"
NOTIFICATION_VERSION = 1
OUTBOX_FILE = "outbox.sqlite"
PING = "ping:"
_MOST_AT_ONCE = 50

Event = Literal["start", "success", "failure"]
_ENDINGS: dict[Event, str] = {"start": "/start", "success": "", "failure": "/fail"}


class Attempt(BaseModel):
    """One message that was tried: what, where, and why it did not arrive; `None` when it did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    title: str
    error: str | None
    given_up: bool = False


class NotificationBody(BaseModel):
    """What was told, or could not be, at one occasion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: tuple[Attempt, ...]


@dataclass
class Report:
    """What one occasion came to: messages that were tried, and problems of the notifier itself."""

    attempts: list[Attempt] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Notifier:
    """Who hears what of one stack on this machine. Its methods raise nothing but defects."""

    def __init__(
        self,
        stack: str,
        machine: MachineSection,
        section: NotifySection,
        channels: Sequence[ChannelSection],
        ledger: Ledger,
        *,
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        self.stack = stack
        self.section = section
        self.channels = {channel.name: channel for channel in channels}
        self.ledger = ledger
        self.clock = clock
        self.report = Report()
        self.outbox = Outbox(machine.state_dir / OUTBOX_FILE)
        # When the disk with the state is full, somebody has to hear of that, too; /run is in memory.
        self.spare = Outbox(machine.lock_dir / OUTBOX_FILE)

    def hear(self, scope: str, troubles: Sequence[Trouble], *, unjudged: Collection[str] = ()) -> None:
        """Take in all trouble there is in a scope now; `unjudged` fingerprints could not be looked at."""
        self._put(
            lambda outbox: outbox.hear(
                scope,
                [self._of_stack(trouble) for trouble in troubles],
                targets=self._targets(),
                unjudged=unjudged,
                again=timedelta(hours=self.section.again_h),
                at=self.clock(),
            )
        )

    def known(self) -> tuple[str, ...]:
        """Fingerprints of the trouble that people were told of and that has not ended."""
        try:
            return tuple(trouble.fingerprint for trouble, _ in self.outbox.troubles())
        except OpsError as error:
            self._problem(error)
            return ()

    def ping(self, job: str, event: Event, text: str) -> None:
        """Ping the dead man's switch. What is not taken of an end is tried again until the job's next end."""
        if self.section.ping_url_file is None:
            return
        if event == "start":
            try:
                self._ping(job, event, text)
            except OpsError as error:
                self.report.attempts.append(Attempt(target=f"{PING}{job}", title=event, error=str(error)))
            return
        severity = Severity.INFO if event == "success" else Severity.CRITICAL
        self._put(lambda outbox: outbox.put(f"{PING}{job}", severity, event, text, at=self.clock(), alone=True))

    def deliver(self) -> Report:
        """Send everything that is due, write down how that went, and return it."""
        for outbox in (self.outbox, self.spare):
            try:
                self._empty(outbox)
            except OpsError as error:
                self._problem(error)
        if self.report.attempts:
            self._record(self.report.attempts)
        done, self.report = self.report, Report()
        return done

    def test(self, title: str, text: str) -> tuple[Attempt, ...]:
        """Send one message to each channel, at once and whatever its severities."""
        attempts = tuple(self._attempt(name, title, text) for name in self.channels)
        self._record(attempts)
        self.report = Report()
        return attempts

    def _attempt(self, channel: str, title: str, text: str) -> Attempt:
        try:
            self._send(channel, title, text, Severity.INFO, ended=False)
        except OpsError as error:
            return Attempt(target=channel, title=title, error=str(error))
        return Attempt(target=channel, title=title, error=None)

    def _empty(self, outbox: Outbox) -> None:
        for _ in range(_MOST_AT_ONCE):
            message = outbox.claim(self.clock())
            if message is None:
                return
            self.report.attempts.append(self._deliver(outbox, message))

    def _deliver(self, outbox: Outbox, message: Message) -> Attempt:
        give_up = timedelta(hours=self.section.give_up_h)
        try:
            if message.target.startswith(PING):
                self._ping(message.target.removeprefix(PING), _event(message.title), message.text)
            else:
                self._send(message.target, message.title, message.text, message.severity, ended=message.ended)
        except OpsError as error:
            over = outbox.failed(message, str(error), at=self.clock(), give_up=give_up)
            return Attempt(target=message.target, title=message.title, error=str(error), given_up=over)
        outbox.sent(message, self.clock())
        return Attempt(target=message.target, title=message.title, error=None)

    def _send(self, channel: str, title: str, text: str, severity: Severity, *, ended: bool) -> None:
        if channel not in self.channels:
            raise SettingsError(f"there is no channel '{channel}' any more", hint="opsctl notify list")
        url = read_secret(self.channels[channel].url_file)
        send(url, title=title, text=text, severity=severity, ended=ended, timeout_s=self.section.timeout_s)

    def _ping(self, job: str, event: Event, text: str) -> None:
        if self.section.ping_url_file is None:
            raise SettingsError("there is no notify.ping_url_file any more", hint="opsctl notify list")
        url = read_secret(self.section.ping_url_file)
        address = url.get_secret_value().replace("{job}", job).rstrip("/") + _ENDINGS[event]
        ping(type(url)(address), text=text, timeout_s=self.section.timeout_s)

    def _put(self, act: Callable[[Outbox], None]) -> None:
        """Write into the outbox; when that cannot be, into the one in memory."""
        try:
            if self.spare.path.exists():
                self.outbox.absorb(self.spare)
            act(self.outbox)
        except OpsError as error:
            self._problem(error)
            try:
                act(self.spare)
            except OpsError as second:
                self._problem(second)

    def _targets(self) -> dict[Severity, tuple[str, ...]]:
        return {
            severity: tuple(name for name, channel in self.channels.items() if severity in channel.severities)
            for severity in Severity
        }

    def _of_stack(self, trouble: Trouble) -> Trouble:
        """Whoever looks after many stacks has to see in the first word which one it is."""
        return trouble.model_copy(update={"title": f"{self.stack}: {trouble.title}"})

    def _record(self, attempts: Sequence[Attempt]) -> None:
        now = self.clock()
        try:
            self.ledger.append(
                Record(
                    kind=NOTIFICATION,
                    version=NOTIFICATION_VERSION,
                    subject=self.stack,
                    started=now,
                    finished=now,
                    outcome=Outcome.FAILED if any(attempt.error for attempt in attempts) else Outcome.PASSED,
                    fresh_until=None,
                    body=NotificationBody(attempts=tuple(attempts)),
                )
            )
        except OpsError as error:
            self._problem(error)

    def _problem(self, error: OpsError) -> None:
        self.report.problems.append(str(error))


def _event(title: str) -> Event:
    return "success" if title == "success" else "failure"
