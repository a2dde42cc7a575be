"""The kernel's contract in plain Python: scan() over scalar floats, obviously right and slow.

Tests hold the compiled kernel to these results, bit for bit. It is never a fallback: the product runs the
kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.place import ELSEWHERE
from balancer_core.cost.curves import doubt
from balancer_core.filters.fits import NO_ROOM, TOO_SMALL, UNDECLARED
from balancer_core.resources import CAPACITY
from balancer_core.scores import SCORES

_TERMS = {score.MODE: score.terms for score in SCORES.values() if score.MODE is not None}


def shortage(
    capacity: Sequence[float],
    reserved: Sequence[float],
    used: Sequence[float],
    demand: Sequence[float],
    kinds: Sequence[int],
) -> int:
    """The gravest grade (filters.fits) of what is short on one host; 0 where reserved (capacities: or measured,
    the larger) + demand <= capacity, exactly."""
    gravest = 0
    for has, holds, uses, asks, kind in zip(capacity, reserved, used, demand, kinds, strict=True):
        if asks > 0.0:
            if kind == CAPACITY and uses > holds:
                holds = uses
            if has <= 0.0 or holds + asks > has:
                grade = UNDECLARED if has <= 0.0 else TOO_SMALL if asks > has else NO_ROOM
                gravest = max(gravest, grade)
    return gravest


def scan(
    capacity: NDArray[np.float64],
    reserved: NDArray[np.float64],
    used: NDArray[np.float64],
    expected: NDArray[np.float32],
    reported_at: NDArray[np.float64],
    flags: NDArray[np.uint8],
    kinds: NDArray[np.uint8],
    refused: NDArray[np.uint8],
    flag_codes: NDArray[np.uint8],
    fits_code: int,
    demand: NDArray[np.float64],
    weights: NDArray[np.float64],
    mode: int,
    now: float,
    verdicts: NDArray[np.uint8],
    counts: NDArray[np.int64],
    top_rows: NDArray[np.int64],
    top_totals: NDArray[np.float64],
) -> int:
    """See Columns.scan in place.pyi: the columns and the same arguments, the same results."""
    asks, weighed, sorts = demand.tolist(), weights.tolist(), kinds.tolist()
    best: list[tuple[float, int]] = []
    for row in range(len(flags)):
        if refused[row] == ELSEWHERE:
            continue
        has, holds, uses = capacity[row].tolist(), reserved[row].tolist(), used[row].tolist()
        code = int(flag_codes[flags[row]]) or int(refused[row])
        if not code:
            short = shortage(has, holds, uses, asks, sorts)
            code = fits_code + short if short else 0
        if code:
            verdicts[row] = code
            counts[code] += 1
            continue
        age = now - float(reported_at[row])
        total = 0.0
        for term in _TERMS[mode](
            has, occupied(holds, uses, expected[row].tolist()), asks, weighed, sorts, doubt(age)
        ):
            total += term
        if math.isfinite(total):
            best.append((total, row))
    best.sort()
    for place, (total, row) in enumerate(best[: len(top_rows)]):
        top_rows[place], top_totals[place] = row, total
    return len(best)


def occupied(reserved: Sequence[float], used: Sequence[float], expected: Sequence[float]) -> list[float]:
    """What counts as in use: the largest of what is reserved, measured and expected."""
    found = []
    for holds, uses, soon in zip(reserved, used, expected, strict=True):
        held = uses if uses > holds else holds
        found.append(soon if soon > held else held)
    return found
