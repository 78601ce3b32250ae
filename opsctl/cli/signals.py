"""Signals become exceptions, so that everything that was begun is cleaned up on the way out."""

import os
import signal
from types import FrameType


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived."""


def install() -> None:
    """Let the first Ctrl-C and the first SIGTERM or SIGHUP raise; a second one leaves at once."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGHUP, _terminate)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _leave_next_time()
    raise KeyboardInterrupt


def _terminate(number: int, frame: FrameType | None) -> None:
    _leave_next_time()
    raise Terminated


def _leave_next_time() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(130 if number == signal.SIGINT else 143)
