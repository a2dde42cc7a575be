"""How long to stay away: exponential back-off with full jitter.

A delay is drawn evenly between nothing and a ceiling that doubles, so that ten thousand agents which lost the
same server do not come back together. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

from random import Random

BASE_S = 1.0
CAP_S = 30.0


class Backoff:
    """The delays of one agent. rng: injected, so that a swarm in a test is repeatable."""

    def __init__(self, rng: Random, base_s: float = BASE_S, cap_s: float = CAP_S) -> None:
        self._rng = rng
        self._base_s = base_s
        self._cap_s = cap_s
        self._failures = 0

    def after_failure(self) -> float:
        """Seconds to wait after one more failure."""
        # The exponent stops growing where the cap is certain, so that it cannot overflow.
        ceiling_s = min(self._cap_s, self._base_s * 2 ** min(self._failures, 16))
        self._failures += 1
        return self._rng.uniform(0.0, ceiling_s)

    def after_busy(self) -> float:
        """Seconds to wait when the server asked to come back later: the whole range, at once."""
        self._failures += 1
        return self._rng.uniform(min(self._base_s, self._cap_s), self._cap_s)

    def reset(self) -> None:
        """A connection held: the next failure is a first one."""
        self._failures = 0
