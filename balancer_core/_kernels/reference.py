"""The kernel's contract in plain Python: scan() over scalar floats, obviously right and slow.

Tests hold the compiled kernel to these results, bit for bit. It is never a fallback: the product runs the
kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from balancer_core.cost.curves import doubt
from balancer_core.resources import CAPACITY
from balancer_core.scores import SCORES

_TERMS = {score.MODE: score.terms for score in SCORES.values()}


def admits(
    capacity: Sequence[float],
    reserved: Sequence[float],
    used: Sequence[float],
    demand: Sequence[float],
    kinds: Sequence[int],
) -> bool:
    """Whether one host has room: reserved (capacities: or measured, the larger) + demand <= capacity,
    exactly."""
    for has, holds, uses, asks, kind in zip(capacity, reserved, used, demand, kinds, strict=True):
        if asks > 0.0:
            if kind == CAPACITY and uses > holds:
                holds = uses
            if has <= 0.0 or holds + asks > has:
                return False
    return True


def scan(
    capacity: NDArray[np.float64],
    reserved: NDArray[np.float64],
    used: NDArray[np.float64],
    reported_at: NDArray[np.float64],
    flags: NDArray[np.uint8],
    admissible: NDArray[np.uint8],
    blocked: int,
    demand: NDArray[np.float64],
    weights: NDArray[np.float64],
    kinds: NDArray[np.uint8],
    mode: int,
    now: float,
    top_rows: NDArray[np.int64],
    top_totals: NDArray[np.float64],
) -> int:
    """See place.pyi: the same arguments, the same results."""
    asks, weighed, sorts = demand.tolist(), weights.tolist(), kinds.tolist()
    best: list[tuple[float, int]] = []
    for row in range(len(flags)):
        if not admissible[row] or flags[row] & blocked:
            continue
        has, holds, uses = capacity[row].tolist(), reserved[row].tolist(), used[row].tolist()
        if not admits(has, holds, uses, asks, sorts):
            continue
        age = now - float(reported_at[row])
        occupied = [max(hold, use) for hold, use in zip(holds, uses, strict=True)]
        total = 0.0
        for term in _TERMS[mode](has, occupied, asks, weighed, sorts, doubt(age)):
            total += term
        if math.isfinite(total):
            best.append((total, row))
    best.sort()
    for place, (total, row) in enumerate(best[: len(top_rows)]):
        top_rows[place], top_totals[place] = row, total
    return len(best)
