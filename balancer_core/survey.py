"""One look at all hosts for one load: who could take it, who is best, and why the others can't.

Cost: O(H R) for each distinct charge of the load's preferences; one where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balancer_core import preferences
from balancer_core._kernels import ELSEWHERE
from balancer_core.filters import FLAG_CODES, code, first_noes, fits, judgements
from balancer_core.question import Question
from balancer_core.scores import marginal
from balancer_core.weighing import totals_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the look found: the best rows and their totals, best first, and how many hosts could take the load.

    verdicts: uint8[H], the code of the first rule that refused each host (filters.code), 0 where none did.
    counts: int64[256], hosts by code. judged: what the precomputed rules say, each of all hosts (filters.judgements).
    """

    rows: list[int]
    totals: list[float]
    feasible: int
    verdicts: NDArray[np.uint8]
    counts: NDArray[np.int64]
    judged: Mapping[str, NDArray[np.uint8]]


def survey(question: Question, top: int) -> Outcome:
    """What one look at all hosts finds; where the load prefers something, one look for each charge."""
    hosts = len(question.snapshot)
    judged = judgements(question)
    refused = first_noes(judged)
    if refused is None:
        refused = np.zeros(hosts, dtype=np.uint8)
    verdicts, counts = np.zeros(hosts, dtype=np.uint8), np.zeros(256, dtype=np.int64)
    charges = preferences.charges(question)
    if charges is None:
        best, feasible = _pass(question, refused, verdicts, counts, top)
        rows, totals = [row for _, row in best], [total for total, _ in best]
        return Outcome(rows, totals, feasible, verdicts, counts, judged)
    merged: list[tuple[float, float, int]] = []
    feasible = 0
    for charge in np.unique(charges).tolist():
        here = np.where(charges == charge, refused, np.uint8(ELSEWHERE))
        best, able = _pass(question, here, verdicts, counts, top)
        merged += [(total + charge, total, row) for total, row in best]
        feasible += able
    merged = sorted(merged)[:top]
    rows, totals = [row for _, _, row in merged], [total for total, _, _ in merged]
    return Outcome(rows, totals, feasible, verdicts, counts, judged)


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
