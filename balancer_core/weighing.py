"""Weighing single hosts by a score's own terms(): for scores that the kernel does not know, and for one host.

Cost: O(R) in Python for each host; about 5 us, so 50 ms over 10,000 hosts. Scores of the core are compiled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from balancer_core import preferences
from balancer_core.cost.curves import doubt
from balancer_core.decision import Term
from balancer_core.question import Question


def totals_of(question: Question, rows: Sequence[int]) -> list[tuple[float, int]]:
    """(total, row) of these hosts, best first; those whose total is not finite left out."""
    found = ((_sum(_costs(question, row)), row) for row in rows)
    return sorted(each for each in found if math.isfinite(each[0]))


def total_on(question: Question, row: int) -> float:
    """What the load would cost on a host that can take it, preferences included."""
    charged = 0.0
    for missed in preferences.unmet(question, [row])[0]:
        charged += missed.cost
    return _sum(_costs(question, row)) + charged


def terms_of(question: Question, rows: Sequence[int]) -> list[tuple[Term, ...]]:
    """For each of these hosts its terms, one for each resource that it has and that matters."""
    names, demand = question.snapshot.dimensions.names, question.demand.tolist()
    found = []
    for row in rows:
        capacity, occupied = question.snapshot.capacity[row].tolist(), _occupied(question, row)
        measured = _occupied(question, row, forecast=False)
        found.append(
            tuple(
                Term(
                    names[r],
                    occupied[r] / capacity[r],
                    (occupied[r] + demand[r]) / capacity[r],
                    cost,
                    (occupied[r] - measured[r]) / capacity[r],
                )
                for r, cost in enumerate(_costs(question, row))
                if capacity[r] > 0.0 and (cost or demand[r])
            )
        )
    return found


def _costs(question: Question, row: int) -> list[float]:
    snapshot = question.snapshot
    doubtful = doubt(question.now - float(snapshot.reported_at[row]))
    return question.policy.SCORE.terms(
        snapshot.capacity[row].tolist(),
        _occupied(question, row),
        question.demand.tolist(),
        question.weights.tolist(),
        snapshot.dimensions.kinds.tolist(),
        doubtful,
    )


def _occupied(question: Question, row: int, forecast: bool = True) -> list[float]:
    snapshot = question.snapshot
    columns = [snapshot.reserved[row].tolist(), snapshot.used[row].tolist()]
    if forecast:
        columns.append(snapshot.expected[row].tolist())
    return [max(amounts) for amounts in zip(*columns, strict=True)]


def _sum(terms: Sequence[float]) -> float:
    """In order, as the kernel adds."""
    total = 0.0
    for term in terms:
        total += term
    return total
