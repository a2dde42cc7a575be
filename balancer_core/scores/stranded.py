"""Stranded capacity: how much free room the load would leave that nothing can use.

Free cpu beside full memory is of no use. What is free of a resource beyond the free share of the host's
scarcest resource counts as stranded; the score is the rise of the stranded share, so a load goes where its
shape matches the room that is left. FILL times the free share after it is added, so that among equal shapes
the fuller host is taken and empty hosts stay empty.
A rate can be measured busier than reserved: what would then be more than all of it counts OVERLOAD times, so
that a host is not packed beyond what it can do while another can take the load.
Assumptions: what comes later asks for resources in the proportion in which hosts have them; with loads that
ask for one resource only, the stranded room is usable after all and this score is too careful.
Idea: shape matching by free share, as in the dot-product and cosine rules of vector packing (Panigrahy et al.
2011; Tetris, SIGCOMM 2014); this is the simplest honest member of that family, not the best known packer.
Cost: O(R) a host.
When not to use it: for what is sensitive to latency. It fills hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from balancer_core.cost.curves import free_share

NAME: Final = "stranded"
MODE: Final = 1

#: Filling counts once for each load, so totals are no rises of one sum over all hosts.
ADDS_UP: Final = False

#: What a wholly free host counts against leaving one host's share of one resource stranded.
FILL: Final = 0.1

#: What being in use twice over counts against leaving one host's share of one resource stranded.
OVERLOAD: Final = 10.0


def terms(
    capacity: Sequence[float],
    occupied: Sequence[float],
    demand: Sequence[float],
    weights: Sequence[float],
    kinds: Sequence[int],
    doubtful: float,
) -> list[float]:
    """One term a resource for one host that fits; the score is their sum in this order, lower is better."""
    before, after, over = [], [], []
    scarcest_before = scarcest_after = 1.0
    total_weight = 0.0
    for has, holds, asks, weight in zip(capacity, occupied, demand, weights, strict=True):
        left = free_share(holds, has, doubtful) if has > 0.0 else 0.0
        then = free_share(holds + asks, has, doubtful) if has > 0.0 else 0.0
        before.append(max(left, 0.0))
        after.append(max(then, 0.0))
        over.append(max(-then, 0.0))
        if has > 0.0:
            scarcest_before = min(scarcest_before, before[-1])
            scarcest_after = min(scarcest_after, after[-1])
            total_weight += weight
    if total_weight <= 0.0:
        return [0.0] * len(capacity)
    return [
        weights[r] * ((after[r] - scarcest_after) - (before[r] - scarcest_before) + OVERLOAD * over[r])
        + FILL * weights[r] / total_weight * after[r]
        if has > 0.0
        else 0.0
        for r, has in enumerate(capacity)
    ]
