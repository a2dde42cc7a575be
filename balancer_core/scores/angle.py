"""Angle: how far what a load asks for and what a host has left point in different directions.

1 - cos of the angle between the shares of the host that are asked for and the shares that are free, so that
a load goes where its shape matches what is left. EVEN times the share in use afterwards is added: among equal
angles the emptier host is taken. Each resource's term is what its own part of both directions differs by; it
is positive where the host has less of the resource left than the load's shape wants.
Assumptions: what comes later is shaped as differently as what is there; nothing needs a whole host.
Idea: cosine and dot-product rules of vector packing (Panigrahy et al.: Heuristics for vector bin packing,
2011; alignment in Tetris, SIGCOMM 2014).
Cost: O(R) a host.
When not to use it: where many loads want nearly a whole host each, since it leaves a little on every host.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from balancer_core.cost.curves import free_share

NAME: Final = "angle"
MODE: Final = 2

#: An angle is of one load and one host; it adds up to nothing over a cluster.
ADDS_UP: Final = False

#: What a host in use from end to end counts against a right angle.
EVEN: Final = 0.1


def terms(
    capacity: Sequence[float],
    occupied: Sequence[float],
    demand: Sequence[float],
    weights: Sequence[float],
    kinds: Sequence[int],
    doubtful: float,
) -> list[float]:
    """One term a resource for one host that fits; the score is their sum in this order, lower is better."""
    asks, left = [], []
    asked = free = total_weight = 0.0
    for has, holds, wants, weight in zip(capacity, occupied, demand, weights, strict=True):
        share = free_share(holds, has, doubtful) if has > 0.0 else 0.0
        left.append(weight * (share if share > 0.0 else 0.0))
        asks.append(weight * (wants / has) if has > 0.0 else 0.0)
        if has > 0.0:
            asked += asks[-1] * asks[-1]
            free += left[-1] * left[-1]
            total_weight += weight
    asked, free = math.sqrt(asked), math.sqrt(free)
    found = []
    for r, has in enumerate(capacity):
        term = 0.0
        if has > 0.0 and asked > 0.0 and total_weight > 0.0:
            direction = asks[r] / asked
            term = direction * (direction - left[r] / free) if free > 0.0 else direction * direction
            term += EVEN * (weights[r] - left[r] + asks[r]) / total_weight
        found.append(term)
    return found
