"""The peer of the core's decisions: the marginal cost of a load on every host, in whole-column operations.

The rule is balancer_core's (filters.fits, filters.schedulable, scores.marginal); the constants are its own.
Written as well as we can: only the columns that are asked for, no Python loop over hosts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.columns import ALL_FLAGS
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.cost import curves
from balancer_core.resources import CAPACITY

Column = NDArray[np.float64]


def best(snapshot: Snapshot, demand: Column, now: float) -> tuple[int, float]:
    """(row, score) of the host where the load costs least; (-1, inf) where it fits nowhere."""
    fits = (snapshot.flags & ALL_FLAGS) == 0
    age = now - snapshot.reported_at
    certain = 1.0 - np.clip((age - curves.DOUBT_GRACE_S) * curves.DOUBT_PER_S, 0.0, curves.DOUBT_CAP)
    total = np.zeros(len(snapshot))
    for r in np.flatnonzero(demand > 0.0).tolist():
        has, holds, asks = snapshot.capacity[:, r], snapshot.reserved[:, r], demand[r]
        occupied = np.maximum(holds, snapshot.used[:, r])
        soon = np.maximum(occupied, snapshot.expected[:, r])
        kind = snapshot.dimensions.kinds[r]
        promised = occupied if kind == CAPACITY else holds
        fits &= (has > 0.0) & (promised + asks <= has)
        with np.errstate(divide="ignore", invalid="ignore"):
            total += price(kind, _free(soon + asks, has, certain)) - price(kind, _free(soon, has, certain))
    total[~fits | ~np.isfinite(total)] = np.inf
    row = int(total.argmin())
    return (row, float(total[row])) if np.isfinite(total[row]) else (-1, float("inf"))


def _free(occupied: Column, capacity: Column, certain: Column) -> Column:
    free = 1.0 - occupied / capacity
    return np.where(free > 0.0, free * certain, free)


def price(kind: int, free: Column) -> Column:
    """The cost of a resource with these shares free (cost/curves.py)."""
    if kind == CAPACITY:
        over = np.maximum(0.0, (curves.CAPACITY_KNEE - free) / curves.CAPACITY_KNEE)
        return curves.CAPACITY_SLOPE * (1.0 - free) + curves.CAPACITY_BARRIER * over**3
    knee = curves.RATE_KNEE
    tangent = (1.0 - knee) / knee + (knee - free) / (knee * knee)
    return np.where(free < knee, tangent, (1.0 - free) / free)
