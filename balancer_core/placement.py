"""Placement: snapshot -> filter -> score -> pick -> explain.

Theory of operation
- The load is checked against the snapshot's resources; a mistake is InvalidLoad and nothing has happened.
- Rules that read labels, names or domains give one mask of admissible hosts. The compiled kernel then does
  the rest
  in one pass: flags, room, score, and the best few.
- Equal scores go to the host that joined earlier (the lower row), so the same input always has the same
  answer.
- A decision reserves nothing. The caller commits it to the ledger, and goes on to the next of
  decision.ranking if the host was taken meanwhile.
- No clock: `now` is the reading of the clock that stamped the reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core import preferences
from balancer_core._kernels import MAX_TOP, scan
from balancer_core.cluster.columns import ALL_FLAGS
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.decision import Decision
from balancer_core.explain import Outcome, explain
from balancer_core.filters import PRECOMPUTED
from balancer_core.load import Company, InvalidLoad, Load, Preference, Spread
from balancer_core.question import Question

__all__ = ["TOP", "Company", "InvalidLoad", "Load", "Preference", "Spread", "decide", "decide_many"]

#: Candidates that a decision keeps: enough to lose a race a few times.
TOP: Final = 5


def decide(snapshot: Snapshot, load: Load, now: float, top: int = TOP) -> Decision:
    """Where the load costs least, or why it can go nowhere; always explained. O(H R).

    top: candidates to keep, 1 to 16.
    Errors: InvalidLoad (unknown resource, weight of an unknown resource, now or top out of range).
    """
    question = Question.put(snapshot, load, now)
    if not 1 <= top <= MAX_TOP:
        raise InvalidLoad("top", "out_of_range", f"{top} candidates; 1 to {MAX_TOP} can be kept.")
    return _answer(question, top)


def decide_many(snapshot: Snapshot, loads: Sequence[Load], now: float, top: int = TOP) -> list[Decision]:
    """One decision for each load, in order; each sees what the earlier ones of this call took as reserved.

    One at a time, so it packs no better than calls one by one. Spread counts stay as each load states them:
    whoever places replicas in one call must count the earlier ones itself. O(L H R).
    Errors: InvalidLoad with the load's position in front of the field ("3.demand.gpu"), before anything is
    decided.
    """
    draft = replace(snapshot, reserved=snapshot.reserved.copy())
    questions = []
    for position, load in enumerate(loads):
        try:
            questions.append(Question.put(draft, load, now))
        except InvalidLoad as error:
            raise InvalidLoad(f"{position}.{error.field}", error.code, error.reason) from None
    if not 1 <= top <= MAX_TOP:
        raise InvalidLoad("top", "out_of_range", f"{top} candidates; 1 to {MAX_TOP} can be kept.")
    decisions = []
    for question in questions:
        decision = _answer(question, top)
        if decision.host is not None:
            draft.reserved[draft.rows[decision.host]] += question.demand
        decisions.append(decision)
    return decisions


def _answer(question: Question, top: int) -> Decision:
    snapshot = question.snapshot
    admissible = np.ones(len(snapshot), dtype=np.uint8)
    verdicts = {name: rule.judge(question) for name, rule in PRECOMPUTED.items()}
    for verdict in verdicts.values():
        if verdict is not None:
            admissible &= verdict == 0
    rows, totals, feasible = _best(question, admissible, top)
    return explain(question, Outcome(rows, totals, feasible, verdicts))


def _best(question: Question, admissible: NDArray[np.uint8], top: int) -> tuple[list[int], list[float], int]:
    """The best admissible rows, their totals, and how many could take the load; preferences included."""
    charges = preferences.charges(question)
    if charges is None:
        return _pass(question, admissible, top)
    merged: list[tuple[float, float, int]] = []
    feasible = 0
    for charge in np.unique(charges[admissible > 0]).tolist():
        rows, totals, able = _pass(question, admissible & (charges == charge), top)
        merged += [(total + charge, total, row) for row, total in zip(rows, totals, strict=True)]
        feasible += able
    best = sorted(merged)[:top]
    return [row for _, _, row in best], [total for total, _, _ in best], feasible


def _pass(question: Question, admissible: NDArray[np.uint8], top: int) -> tuple[list[int], list[float], int]:
    snapshot = question.snapshot
    rows, totals = np.empty(top, dtype=np.int64), np.empty(top)
    feasible = scan(
        snapshot.capacity,
        snapshot.reserved,
        snapshot.used,
        snapshot.reported_at,
        snapshot.flags,
        admissible,
        ALL_FLAGS,
        question.demand,
        question.weights,
        snapshot.dimensions.kinds,
        question.policy.SCORE.MODE,
        question.now,
        rows,
        totals,
    )
    held = min(feasible, top)
    return rows[:held].tolist(), totals[:held].tolist(), feasible
