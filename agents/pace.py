"""How fast what is moved may go, so that what else uses the link goes on as before."""

from __future__ import annotations

import time
from collections.abc import Callable

#: What goes over a wire beside what is moved: Ethernet's, IP's and TCP's headers, 66 bytes to 1,448 with IPv4 and 86 to
#: 1,428 with IPv6. A rate is of the link, so they count.
WIRE = 1.05
#: Who wakes up later than asked makes up for so much, and for no more.
LATE_S = 0.02


class Pace:
    """Counts bytes against a rate of a link. rate_bytes_s: None for no bound."""

    def __init__(self, rate_bytes_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate_bytes_s, clock
        self._free_at = clock()
        self.moved_bytes = 0

    def batch_bytes(self, seconds: float, least: int, most: int) -> int:
        """What goes at once: what the rate lets through in so many seconds, between least and most."""
        return max(least, min(most, int(self._rate * seconds))) if self._rate else most

    def went(self, count: int) -> float:
        """Count bytes that go now; seconds until the next may follow.

        Time that was not used, but for LATE_S of it, is not saved up: a burst afterwards would be above the rate.
        """
        self.moved_bytes += count
        if not self._rate:
            return 0.0
        now = self._clock()
        self._free_at = max(self._free_at, now - LATE_S) + WIRE * count / self._rate
        return self._free_at - now
