"""Soft terms: what a load would rather have. Where one does not hold, its weight is added to the host's
score.

The compiled pass knows nothing of them. Hosts that miss the same preferences are charged the same, so the
pass is made once for each such set of hosts, exact as ever, and the best of all passes are merged.
Cost: one pass for each charge that occurs, at most 2^load.MAX_SOFT; one, as without, where all hosts are
charged alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from balancer_core.decision import Unmet
from balancer_core.domains import holding
from balancer_core.filters import company
from balancer_core.question import Question


def charges(question: Question) -> NDArray[np.float64] | None:
    """float64[H]: what each host is charged; None if the load prefers nothing. O(H) a soft term."""
    terms = _terms(question)
    if not terms:
        return None
    charged = np.zeros(len(question.snapshot))
    for unmet, misses in terms:
        charged[misses] += unmet.cost
    return charged


def unmet(question: Question, rows: Sequence[int]) -> list[tuple[Unmet, ...]]:
    """For each row the soft terms that do not hold there; their costs, added in this order, are its
    charge."""
    load = question.load
    if not (load.prefer or load.near or load.apart):
        return [()] * len(rows)
    terms = _terms(question)
    return [tuple(term for term, misses in terms if misses[row]) for row in rows]


def _terms(question: Question) -> list[tuple[Unmet, NDArray[np.bool_]]]:
    load, snapshot = question.load, question.snapshot
    terms: list[tuple[Unmet, NDArray[np.bool_]]] = []
    for wish in load.prefer:
        met = holding(snapshot, wish.level, {wish.value: 1})
        terms.append((Unmet(f"{wish.level} {wish.value}", wish.weight), met != 1))
    for near, companies in ((True, load.near), (False, load.apart)):
        for each in companies:
            if each.weight is not None:
                what = f"{'near to' if near else 'apart from'} {each.group} by {each.level}"
                terms.append((Unmet(what, each.weight), company.misses(question, each, near)))
    return terms
