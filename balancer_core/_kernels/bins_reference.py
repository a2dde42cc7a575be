"""The contract of bins.pyx in plain Python: obviously right and slow.

Tests hold the compiled code to these results on every input. It is never a fallback.
"""

from __future__ import annotations

from collections.abc import Sequence

Vector = Sequence[int]


def fits(size: Vector, left: Vector) -> bool:
    """Whether no resource runs short."""
    return all(one <= other for one, other in zip(size, left, strict=True))


def fill(
    free: Sequence[Vector], sizes: Sequence[Vector], weights: Sequence[float], by_distance: bool
) -> list[int]:
    """Host after host takes the load of the best score that fits, the first of equals, until none fits."""
    rows = [-1] * len(sizes)
    for host, room in enumerate(free):
        left = list(room)
        while able := [load for load, row in enumerate(rows) if row < 0 and fits(sizes[load], left)]:
            best = max(able, key=lambda load: alignment(sizes[load], left, weights, by_distance))
            rows[best] = host
            left = [has - asks for has, asks in zip(left, sizes[best], strict=True)]
    return rows


def alignment(size: Vector, left: Vector, weights: Sequence[float], by_distance: bool) -> float:
    """The dot product of size and left, or minus their squared distance."""
    score = 0.0
    for weight, asks, has in zip(weights, size, left, strict=True):
        if by_distance:
            short = float(has - asks)
            score -= weight * short * short
        else:
            score += weight * float(asks) * float(has)
    return score


def place_all(
    free: Sequence[Vector], sizes: Sequence[Vector], order: Sequence[int], weights: Sequence[float], rule: int
) -> list[int]:
    """Each load on the host in use of the best score, the first of equals, else on the first other with room."""
    rows = [-1] * len(sizes)
    left = [list(room) for room in free]
    used: set[int] = set()
    for load in order:
        able = [host for host, room in enumerate(left) if fits(sizes[load], room)]
        known = [host for host in able if host in used]
        if known:
            rows[load] = max(known, key=lambda host: liking(sizes[load], left[host], weights, rule))
        elif able:
            rows[load] = able[0]
        else:
            continue
        used.add(rows[load])
        left[rows[load]] = [has - asks for has, asks in zip(left[rows[load]], sizes[load], strict=True)]
    return rows


def liking(size: Vector, left: Vector, weights: Sequence[float], rule: int) -> float:
    """What speaks for a host in use: nothing (0), little left (1), little left of what it had (2)."""
    if rule == 0:
        return 0.0
    score = before = 0.0
    for weight, asks, has in zip(weights, size, left, strict=True):
        after = float(has - asks)
        score -= weight * after * after
        before += weight * float(has) * float(has)
    return score / before if rule == 2 and before > 0.0 else score
