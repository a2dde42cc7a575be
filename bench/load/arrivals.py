"""When requests are due."""

from __future__ import annotations

import random
from collections.abc import Iterator


def poisson(rate_per_s: float, seconds: float, seed: int) -> Iterator[float]:
    """Offsets in seconds from the start, below seconds, of a Poisson process; the same for the same seed."""
    rng = random.Random(seed)
    due = rng.expovariate(rate_per_s)
    while due < seconds:
        yield due
        due += rng.expovariate(rate_per_s)
