"""Marks: the load keeps a share of a host's resource free, as one of data does below a disk's watermark.

What a resource would hold with the load, by the larger of reserved and measured, stays at or below its mark. A host
that declares none of it is left to fits, which says so.
Assumption: a mark is for capacities, which fill up; a rate may be marked too, by what is reserved of it.
Cost: O(H) for each marked resource that is asked for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.filters import fits
from balancer_core.question import Question

NAME: Final = "marks"
REASONS: Final = {"above_mark": "{resource}: it would be {would} full, the mark is {mark}."}
PHRASES: Final = {"above_mark": "above their mark"}


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 below every mark, 1 above one. None if the load marks nothing that it asks for."""
    marked = _marked(question)
    if not marked:
        return None
    verdict = np.zeros(len(question.snapshot), dtype=np.uint8)
    for r, mark in marked:
        with_it = fits.holding(question, r) + question.demand[r]
        has = question.snapshot.capacity[:, r]
        verdict[(has > 0.0) & (with_it > mark * has)] = 1
    return verdict


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for one host, of the resource that is furthest above."""
    r, mark, would = _worst(question, row)
    name = question.snapshot.dimensions.names[r]
    return REASONS["above_mark"].format(
        resource=name, would=f"{100.0 * would:.1f} %", mark=f"{100.0 * mark:.1f} %"
    )


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change."""
    r, mark, would = _worst(question, row)
    names, show = question.snapshot.dimensions.names, question.snapshot.dimensions.format
    over = (would - mark) * question.snapshot.capacity.item(row, r)
    return f"free {show(names[r], over)} of {names[r]} or raise the mark"


def _marked(question: Question) -> list[tuple[int, float]]:
    names = question.snapshot.dimensions.names
    marks = question.load.marks
    return [(r, marks[names[r]]) for r in question.asked if names[r] in marks] if marks else []


def _worst(question: Question, row: int) -> tuple[int, float, float]:
    capacity, found = question.snapshot.capacity, []
    for r, mark in _marked(question):
        if (has := capacity.item(row, r)) > 0.0:
            found.append((r, mark, float(fits.holding(question, r)[row] + question.demand[r]) / has))
    return max(found, key=lambda each: each[2] - each[1])
