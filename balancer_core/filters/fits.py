"""Fits: the host has room for every amount that is asked for.

Rates fit by reservation alone: a cpu that is busy this second is expensive (cost), not impossible.
Capacities fit by the larger of reserved and measured: memory that is in use is not there, whoever reserved
it. A resource that the host did not declare (capacity 0) is not there at all.
Comparisons are exact, reserved + demand <= capacity, as in the ledger's own condition: exactly full fits.
Assumption: capacities leave out what the host keeps for itself.
Cost: O(H) for each resource asked for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from balancer_core.question import Question
from balancer_core.resources import CAPACITY

NAME: Final = "fits"
REASONS: Final = {
    "no_room": "{resource}: {asked} asked, {free} free of {capacity}.",
    "too_small": "{resource}: {asked} asked, more than the {capacity} this host has.",
    "undeclared": "{resource}: {asked} asked, and this host declares none.",
}
PHRASES: Final = {"no_room": "without room", "too_small": "too small", "undeclared": "without the resource"}
NO_ROOM, TOO_SMALL, UNDECLARED = 1, 2, 3


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 fits, else 1 + the position in REASONS of the gravest reason.

    None if nothing is asked for.
    """
    return verdicts(question, slice(None)) if question.asked else None


def verdicts(question: Question, rows: slice | NDArray[np.intp]) -> NDArray[np.uint8]:
    """uint8: judge() of these rows."""
    capacity = question.snapshot.capacity[rows]
    verdict = np.zeros(len(capacity), dtype=np.uint8)
    for r in question.asked:
        asks, has = float(question.demand[r]), capacity[:, r]
        short = holding(question, r)[rows] + asks > has
        if short.any():
            grade = np.where(has <= 0.0, UNDECLARED, np.where(asks > has, TOO_SMALL, NO_ROOM))
            np.maximum(verdict, np.where(short, grade, 0).astype(np.uint8), out=verdict)
    return verdict


def holding(question: Question, r: int) -> NDArray[np.float64]:
    """float64[H]: what already stands in the way of a new amount of resource r."""
    snapshot = question.snapshot
    if snapshot.dimensions.kinds[r] == CAPACITY:
        return np.maximum(snapshot.reserved[:, r], snapshot.used[:, r])
    return snapshot.reserved[:, r]


def lack(question: Question) -> NDArray[np.float64]:
    """float64[H]: the largest missing share of what is asked for, 0 where it fits, 1 where none of it
    would."""
    worst = np.zeros(len(question.snapshot))
    for r in question.asked:
        asks = question.demand[r]
        missing = (holding(question, r) + asks - question.snapshot.capacity[:, r]) / asks
        np.maximum(worst, np.clip(missing, 0.0, 1.0), out=worst)
    return worst


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for the resource that is shortest among those of the verdict's grade."""
    shortages = [each for each in _shortages(question, row) if each.grade == verdict]
    shortest = max(shortages, key=lambda each: each.missing / each.asks)
    name, show = question.snapshot.dimensions.names[shortest.r], question.snapshot.dimensions.format
    return tuple(REASONS.values())[verdict - 1].format(
        resource=name,
        asked=show(name, shortest.asks),
        free=show(name, max(0.0, shortest.has - shortest.holds)),
        capacity=show(name, shortest.has),
    )


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change, over all short resources."""
    names, show = question.snapshot.dimensions.names, question.snapshot.dimensions.format
    return ", ".join(
        f"{'free' if each.grade == NO_ROOM else 'add'} {show(names[each.r], each.missing)} of {names[each.r]}"
        for each in _shortages(question, row)
    )


class _Shortage(NamedTuple):
    """One resource that is short on one host."""

    r: int
    grade: int
    asks: float
    holds: float
    has: float
    missing: float


def _shortages(question: Question, row: int) -> list[_Shortage]:
    """Every resource that is short on this host, in scalar floats: called once for each host that is
    explained."""
    snapshot, found = question.snapshot, []
    for r in question.asked:
        asks, holds = question.demand.item(r), snapshot.reserved.item(row, r)
        if snapshot.dimensions.kinds.item(r) == CAPACITY:
            holds = max(holds, snapshot.used.item(row, r))
        has = snapshot.capacity.item(row, r)
        if holds + asks > has:
            grade = UNDECLARED if has <= 0.0 else TOO_SMALL if asks > has else NO_ROOM
            found.append(_Shortage(r, grade, asks, holds, has, holds + asks - has))
    return found
