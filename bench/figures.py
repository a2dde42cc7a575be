"""Samples taken in turn, and what they come to: medians with their spread, and the ratio of the two sides.

Why in turn (A B A B): machines are shared, and what disturbs one side must disturb the other as well.
The ratio is the median of the rounds' own ratios, each of two samples taken right after each other.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Sample = TypeVar("Sample")

#: Fewer rounds say nothing about the spread.
ROUNDS = 5
ROUNDS_FAST = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of some samples and the range they fell in (smallest to largest)."""

    value: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Figure:
        """Raises ValueError for no samples, or for one that is not a finite number."""
        if not samples or not all(math.isfinite(sample) for sample in samples):
            raise ValueError(f"samples: {list(samples)!r} are not finite numbers, at least one")
        return cls(median(samples), min(samples), max(samples), len(samples))

    @property
    def range(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Compared:
    """Both sides of a comparison and ours / peer. Without a peer the latter two are None."""

    ours: Figure
    peer: Figure | None = None
    ratio: Figure | None = None

    @classmethod
    def of(cls, ours: Sequence[float], peer: Sequence[float] = ()) -> Compared:
        """ours[i] and peer[i] were taken in the same round. Raises ValueError for rounds that lack a side."""
        if not peer:
            return cls(Figure.of(ours))
        if len(ours) != len(peer):
            raise ValueError(f"rounds: {len(ours)} of ours and {len(peer)} of the peer")
        ratios = [mine / theirs for mine, theirs in zip(ours, peer, strict=True) if theirs]
        return cls(Figure.of(ours), Figure.of(peer), Figure.of(ratios) if len(ratios) == len(ours) else None)


async def in_turn(
    rounds: int, ours: Callable[[], Awaitable[Sample]], peer: Callable[[], Awaitable[Sample]]
) -> tuple[list[Sample], list[Sample]]:
    """One sample of each side, rounds times: A B A B."""
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(await ours())
        theirs.append(await peer())
    return mine, theirs
