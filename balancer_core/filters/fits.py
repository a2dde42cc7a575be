"""Fits: the host has room for every amount that is asked for.

Rates fit by reservation alone: a cpu that is busy this second is expensive (cost), not impossible.
Capacities fit by the larger of reserved and measured: memory that is in use is not there, whoever reserved it.
A resource that the host did not declare (capacity 0) is not there at all.
Comparisons are exact, reserved + demand <= capacity, as in the ledger's own condition: exactly full fits.
Assumption: capacities leave out what the host keeps for itself.
Cost: O(H) for each resource asked for.
"""

from __future__ import annotations

from typing import Final

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
    """uint8[H]: 0 fits, else 1 + the position in REASONS of the gravest reason. None if nothing is asked for."""
    if not question.asked:
        return None
    snapshot = question.snapshot
    verdict = np.zeros(len(snapshot), dtype=np.uint8)
    for r in question.asked:
        asks, has = float(question.demand[r]), snapshot.capacity[:, r]
        short = holding(question, r) + asks > has
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
    """float64[H]: the largest missing share of what is asked for, 0 where it fits, 1 where none of it would."""
    worst = np.zeros(len(question.snapshot))
    for r in question.asked:
        asks = question.demand[r]
        missing = (holding(question, r) + asks - question.snapshot.capacity[:, r]) / asks
        np.maximum(worst, np.clip(missing, 0.0, 1.0), out=worst)
    return worst


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for the resource that is shortest among those of the verdict's grade."""
    code = tuple(REASONS)[verdict - 1]
    r = max(_short(question, row, verdict), key=lambda each: _missing(question, row, each) / question.demand[each])
    names, show = question.snapshot.dimensions.names, question.snapshot.dimensions.format
    has = float(question.snapshot.capacity[row, r])
    return REASONS[code].format(
        resource=names[r],
        asked=show(names[r], float(question.demand[r])),
        free=show(names[r], max(0.0, has - float(holding(question, r)[row]))),
        capacity=show(names[r], has),
    )


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change, over all short resources."""
    names, show = question.snapshot.dimensions.names, question.snapshot.dimensions.format
    parts = []
    for r in question.asked:
        missing = _missing(question, row, r)
        if missing > 0.0:
            has = float(question.snapshot.capacity[row, r])
            larger = float(question.demand[r]) > has
            verb = "add" if larger else "free"
            parts.append(f"{verb} {show(names[r], missing)} of {names[r]}")
    return ", ".join(parts)


def _short(question: Question, row: int, verdict: int) -> list[int]:
    """The resources that are short on this host in the way the verdict says."""
    found = []
    for r in question.asked:
        has = float(question.snapshot.capacity[row, r])
        if has <= 0.0:
            grade = UNDECLARED
        else:
            grade = TOO_SMALL if float(question.demand[r]) > has else NO_ROOM
        if grade == verdict and _missing(question, row, r) > 0.0:
            found.append(r)
    return found


def _missing(question: Question, row: int, r: int) -> float:
    """How much of resource r is missing on this host; 0 or less where it fits."""
    snapshot = question.snapshot
    holds = float(snapshot.reserved[row, r])
    if snapshot.dimensions.kinds[r] == CAPACITY:
        holds = max(holds, float(snapshot.used[row, r]))
    wanted, has = holds + float(question.demand[r]), float(snapshot.capacity[row, r])
    return wanted - has
