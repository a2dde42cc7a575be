"""Marginal cost: by how much the cluster's cost rises if this host takes the load.

The sum over resources of price(after) - price(before), each times its weight.
Assumptions: the load will use what it asks for; cost adds up over resources and hosts (cost/curves.py).
Adding the same amount to a larger or an emptier host costs less, so unequal hosts need no special case.
Cost: O(R) a host.
When not to use it: to keep hosts empty for large loads or for switching off, since it spreads. See stranded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from balancer_core.cost.curves import free_share, price

NAME: Final = "marginal"
MODE: Final = 0

#: Totals are rises of one sum over all hosts: moving a load to where its total is lower lowers that sum.
ADDS_UP: Final = True


def terms(
    capacity: Sequence[float],
    occupied: Sequence[float],
    demand: Sequence[float],
    weights: Sequence[float],
    kinds: Sequence[int],
    doubtful: float,
) -> list[float]:
    """One term a resource for one host that fits; the score is their sum in this order, lower is better."""
    rises = []
    for has, holds, asks, weight, kind in zip(capacity, occupied, demand, weights, kinds, strict=True):
        if asks > 0.0:
            before = price(kind, free_share(holds, has, doubtful))
            after = price(kind, free_share(holds + asks, has, doubtful))
            rises.append(weight * (after - before))
        else:
            rises.append(0.0)
    return rises
