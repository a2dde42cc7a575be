"""Spread: no failure domain takes more of a group than its share allows.

Two limits: a number for each domain, and a skew above the domain that holds least.
Assumption: the caller counts what each domain holds; a host without the level's label belongs to no domain
that could be counted, so it takes none. A domain whose hosts are all flagged or lack the load's labels does
not
hold the others back: nothing could go there first.
Cost: O(H) for each level, plus O(H) once for a label key that was never asked for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.constraints import MAX_COUNT, Spread
from balancer_core.domains import domain, holding
from balancer_core.filters import labels
from balancer_core.question import Question

NAME: Final = "spread"
REASONS: Final = {
    "domain_full": "{level} {domain} already holds {taken} of the group, {most} allowed.",
    "domain_unknown": "The host has no label {level}, so its failure domain is unknown.",
    "too_skewed": "{level} {domain} holds {taken} of the group and the emptiest {level} {least}; with one "
    "more it would be ahead by more than {skew}.",
}
PHRASES: Final = {
    "domain_full": "in a full failure domain",
    "domain_unknown": "in no known failure domain",
    "too_skewed": "in a failure domain that is ahead of the others",
}
FULL, UNKNOWN, SKEWED = 1, 2, 3


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 allowed, 1 full, 2 unknown, 3 too skewed; of the first level that says no. None if no
    spread is asked for."""
    if not question.load.spread:
        return None
    verdict = np.zeros(len(question.snapshot), dtype=np.uint8)
    for spread in question.load.spread:
        np.copyto(verdict, _judge_level(question, spread), where=verdict == 0)
    return verdict


def _judge_level(question: Question, spread: Spread) -> NDArray[np.uint8]:
    held = holding(question.snapshot, spread.level, spread.taken)
    most = MAX_COUNT + 1 if spread.max_per_domain is None else spread.max_per_domain
    verdict = np.where(held >= most, FULL, 0)
    if spread.max_skew is not None:
        ahead = held + 1 - _least(question, held) > spread.max_skew
        verdict = np.where((verdict == 0) & ahead, SKEWED, verdict)
    return np.where(held < 0, UNKNOWN, verdict).astype(np.uint8)


def _least(question: Question, held: NDArray[np.int64]) -> int:
    """What the emptiest domain holds that could take the load by its flags and labels."""
    counted = (held >= 0) & (question.snapshot.flags == 0)
    labelled = labels.judge(question)
    if labelled is not None:
        counted &= labelled == 0
    # Without such a domain the other rules refuse every host; there is nothing to be ahead of.
    return int(held[counted].min(initial=MAX_COUNT))


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for the first level that says no."""
    for spread in question.load.spread:
        grade = int(_judge_level(question, spread)[row])
        if grade:
            held = holding(question.snapshot, spread.level, spread.taken)
            return tuple(REASONS.values())[grade - 1].format(
                level=spread.level,
                domain=domain(question.snapshot, spread.level, row),
                taken=int(held[row]),
                most=spread.max_per_domain,
                skew=spread.max_skew,
                least=_least(question, held),
            )
    raise ValueError(f"host {row} is not refused")


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change, over all levels."""
    steps = []
    for spread in question.load.spread:
        grade, name = int(_judge_level(question, spread)[row]), domain(question.snapshot, spread.level, row)
        if grade == UNKNOWN:
            steps.append(f"label the host with its {spread.level}")
        elif grade == FULL:
            steps.append(f"free a place in {spread.level} {name}")
        elif grade == SKEWED:
            steps.append(f"place another of the group in an emptier {spread.level}")
    return ", ".join(steps)
