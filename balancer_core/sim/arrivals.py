"""Loads as they come: each with its second of arrival, how long it lasts, and what of its demand it uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from balancer_core.load import Load
from balancer_core.randomness import Random, below, exponential

#: A mistake in a rate should be an error, not a machine without memory.
MAX_ARRIVALS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One load.

    at_s: when it comes; lasts_s: how long it runs once placed; uses: share of its demand, 0 to 1.
    """

    at_s: float
    load: Load
    lasts_s: float
    uses: float = 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of load that comes again and again. load: its name gets a number behind."""

    load: Load
    uses: float = 1.0


def poisson(
    rng: Random, shapes: Sequence[Shape], rate_per_s: float, mean_s: float, until_s: float
) -> list[Arrival]:
    """Arrivals without memory: exponential gaps and durations, a shape drawn for each, in order of time.

    Errors: ValueError for a rate or a mean that is not above 0, no shapes, or more than a million to be
    expected.
    """
    if not (rate_per_s > 0.0 and mean_s > 0.0 and shapes and rate_per_s * until_s <= MAX_ARRIVALS / 2):
        raise ValueError(
            f"rate {rate_per_s!r}/s, mean {mean_s!r} s, until {until_s!r} s, {len(shapes)} shapes"
        )
    arrivals: list[Arrival] = []
    at_s = exponential(rng, 1.0 / rate_per_s)
    while at_s < until_s and len(arrivals) < MAX_ARRIVALS:
        shape = shapes[below(rng, len(shapes))]
        load = replace(shape.load, name=f"{shape.load.name}-{len(arrivals)}")
        arrivals.append(Arrival(at_s, load, exponential(rng, mean_s), shape.uses))
        at_s += exponential(rng, 1.0 / rate_per_s)
    return arrivals
