"""What the core asks of a source of random numbers.

It has none of its own: callers pass one, tests a seeded one.
"""

from __future__ import annotations

import math
from typing import Protocol


class Random(Protocol):
    """random.Random and numpy.random.Generator have it."""

    def random(self) -> float:
        """Uniform in [0, 1)."""


def exponential(rng: Random, mean: float) -> float:
    """A waiting time of a memoryless process with this mean, same unit."""
    return -mean * math.log(1.0 - rng.random())


def below(rng: Random, count: int) -> int:
    """A whole number from 0 to count - 1, each as likely as any other."""
    # The product can round up to count.
    return min(int(rng.random() * count), count - 1)
