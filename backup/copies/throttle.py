"""A limit on how many bytes go out a second, so that a copy leaves the customer's visitors their line."""

import time
from collections.abc import Callable

BURST_S = 0.25


class Throttle:
    """Lets `bytes_per_s` through on average, and a quarter of a second's worth at once; None lets everything through.

    What was not used is not saved up beyond that.
    """

    def __init__(
        self,
        bytes_per_s: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    def __call__(self, count: int) -> None:
        """Wait until so many bytes may go."""
        if self._rate is None:
            return
        now = self._clock()
        self._free_at = max(self._free_at, now - BURST_S) + count / self._rate
        if self._free_at > now:
            self._sleep(self._free_at - now)

    @property
    def piece(self) -> int:
        """The bytes to read at once, so that the waits stay short."""
        return 1 << 20 if self._rate is None else max(4096, min(1 << 20, int(self._rate * BURST_S)))
