"""Sending: one message to one address, within a time, without a word of the address in what went wrong."""

import logging
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import unquote

from pydantic import SecretStr

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.rule import Severity

MASK = "********"
_LONGEST_TEXT = 4000
_SHORTEST_SECRET = 4
_HINT = "look at the address in its file, then: opsctl notify test"


def send(url: SecretStr, *, title: str, text: str, severity: Severity, ended: bool, timeout_s: float) -> None:
    """Send by Apprise (https://github.com/caronc/apprise). `ended`: good news. Raises OpsError."""
    _within(timeout_s, url, lambda: _by_apprise(url, title, text[:_LONGEST_TEXT], severity, ended=ended))


def ping(url: SecretStr, *, text: str, timeout_s: float) -> None:
    """Post `text` to a dead man's switch. Raises OpsError unless it answers with 2xx."""
    _within(timeout_s, url, lambda: _post(url, text[-_LONGEST_TEXT:].encode(), timeout_s))


def _by_apprise(url: SecretStr, title: str, text: str, severity: Severity, *, ended: bool) -> None:
    import apprise

    kinds = {
        Severity.CRITICAL: apprise.NotifyType.FAILURE,
        Severity.WARNING: apprise.NotifyType.WARNING,
        Severity.INFO: apprise.NotifyType.INFO,
    }
    asset = apprise.AppriseAsset(app_id="opsctl", app_desc="opsctl", app_url="", async_mode=False, secure_logging=True)
    said = _Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    try:
        channel = apprise.Apprise(asset=asset)
        if not channel.add(url.get_secret_value()):
            raise OpsError("the address is none that Apprise knows", hint=_HINT)
        done = channel.notify(
            body=text,
            title=title,
            notify_type=apprise.NotifyType.SUCCESS if ended else kinds[severity],
            body_format=apprise.NotifyFormat.TEXT,
        )
    finally:
        logger.removeHandler(said)
    if not done:
        why = masked(" ".join(said.lines), url)
        raise UnreachableError(f"it was not taken: {why or 'no reason was given'}", hint=_HINT)


class _Said(logging.Handler):
    """Collects what Apprise complains of; it raises nothing."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(record.getMessage())


def _post(url: SecretStr, data: bytes, timeout_s: float) -> None:
    plain = url.get_secret_value()
    if not plain.startswith(("https://", "http://")):
        raise OpsError("a ping goes to an https:// or http:// address", hint=_HINT)
    request = urllib.request.Request(  # noqa: S310 - checked above
        plain, data, {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "opsctl"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310 - checked above
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise UnreachableError(f"the ping was answered with {error.code}", hint=_HINT) from None
    except (OSError, ValueError) as error:
        why = masked(str(getattr(error, "reason", error)), url)
        raise UnreachableError(f"the ping did not arrive: {why}", hint=_HINT) from None


def masked(text: str, url: SecretStr) -> str:
    """The text without any part of the address that could be a secret: all but its scheme."""
    _, _, rest = url.get_secret_value().partition("://")
    parts = {part for found in (rest, unquote(rest)) for part in (found, *re.split(r"[^\w.~%-]+", found))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            text = text.replace(part, MASK)
    return text


def _within(timeout_s: float, url: SecretStr, act: Callable[[], None]) -> None:
    """Act, and wait no longer than `timeout_s` seconds: a server that drips keeps a thread, but no job.

    Whatever a hundred services' code raises is one of them not taking a message. Raises OpsError and nothing else.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
            raised.append(error)

    thread = threading.Thread(target=run, name="send", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise UnreachableError(f"no answer within {timeout_s:g} s", hint=_HINT)
    for error in raised:
        if isinstance(error, OpsError):
            raise error
        why = masked(str(error), url)
        raise UnreachableError(f"it was not taken: {type(error).__name__}: {why}", hint=_HINT) from None
