"""Placement: snapshot -> filter -> score -> pick -> explain.

Theory of operation
- The load is checked against the snapshot's resources; a mistake is InvalidLoad and nothing has happened.
- Rules that read labels, names or domains say first which hosts they refuse. The compiled kernel then does
  the rest in one pass: flags, room, score, the best few, and for every host the first rule that refused it.
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
from balancer_core._kernels import ELSEWHERE, MAX_TOP
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.decision import Decision
from balancer_core.explain import Outcome, explain
from balancer_core.filters import FLAG_CODES, code, fits, refusals
from balancer_core.load import Company, InvalidLoad, Load, Preference, Spread
from balancer_core.question import Question
from balancer_core.scores import marginal
from balancer_core.weighing import totals_of

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
    return explain(question, _survey(question, top))


def _survey(question: Question, top: int) -> Outcome:
    """What one look at all hosts finds; where the load prefers something, one look for each charge."""
    hosts = len(question.snapshot)
    refused = refusals(question)
    verdicts, counts = np.zeros(hosts, dtype=np.uint8), np.zeros(256, dtype=np.int64)
    charges = preferences.charges(question)
    if charges is None:
        best, feasible = _pass(question, refused, verdicts, counts, top)
        return Outcome([row for _, row in best], [total for total, _ in best], feasible, verdicts, counts)
    merged: list[tuple[float, float, int]] = []
    feasible = 0
    for charge in np.unique(charges).tolist():
        here = np.where(charges == charge, refused, np.uint8(ELSEWHERE))
        best, able = _pass(question, here, verdicts, counts, top)
        merged += [(total + charge, total, row) for total, row in best]
        feasible += able
    merged = sorted(merged)[:top]
    return Outcome(
        [row for _, _, row in merged], [total for total, _, _ in merged], feasible, verdicts, counts
    )


def _pass(
    question: Question,
    refused: NDArray[np.uint8],
    verdicts: NDArray[np.uint8],
    counts: NDArray[np.int64],
    top: int,
) -> tuple[list[tuple[float, int]], int]:
    """(total, row) of the best, and how many could take the load; fills verdicts and counts."""
    rows, totals = np.empty(top, dtype=np.int64), np.empty(top)
    mode = question.policy.SCORE.MODE
    feasible = question.snapshot.columns.scan(
        refused,
        FLAG_CODES,
        code(fits.NAME),
        question.demand,
        question.weights,
        # What the kernel does not weigh it still filters.
        marginal.MODE if mode is None else mode,
        question.now,
        verdicts,
        counts,
        rows,
        totals,
    )
    if mode is None:
        able = totals_of(question, np.flatnonzero((verdicts == 0) & (refused == 0)).tolist())
        return able[:top], len(able)
    held = min(feasible, top)
    return list(zip(totals[:held].tolist(), rows[:held].tolist(), strict=True)), feasible
