"""Spread: no failure domain takes more of a group than its share allows.

Assumption: the caller counts what each domain holds; a host without the level's label belongs to no domain
that could be counted, so it takes none.
Cost: O(H) for each level, plus O(H) once for a label key that was never asked for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.load import Spread
from balancer_core.question import Question

NAME: Final = "spread"
REASONS: Final = {
    "domain_full": "{level} {domain} already holds {taken} of the group, {most} allowed.",
    "domain_unknown": "The host has no label {level}, so its failure domain is unknown.",
}
PHRASES: Final = {"domain_full": "in a full failure domain", "domain_unknown": "in no known failure domain"}


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 allowed, 1 domain full, 2 domain unknown. None if the load asks for no spread."""
    if not question.load.spread:
        return None
    verdict = np.zeros(len(question.snapshot), dtype=np.uint8)
    for spread in question.load.spread:
        np.copyto(verdict, _judge_level(question, spread), where=verdict == 0)
    return verdict


def _judge_level(question: Question, spread: Spread) -> NDArray[np.uint8]:
    full = [domain for domain, count in spread.taken.items() if count >= spread.max_per_domain]
    if spread.level == "host":
        verdict = np.zeros(len(question.snapshot), dtype=np.uint8)
        rows = question.snapshot.rows
        verdict[[rows[name] for name in full if name in rows]] = 1
        return verdict
    column, numbers = question.snapshot.labels.column(spread.level)
    grades = np.zeros(len(numbers) + 1, dtype=np.uint8)
    grades[[numbers[domain] for domain in full if domain in numbers]] = 1
    grades[-1] = 2  # column's -1, no label, reads the last
    return grades[column]


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for the first level that says no."""
    spread, domain = _wrong(question, row)[0]
    if domain is None:
        return REASONS["domain_unknown"].format(level=spread.level)
    return REASONS["domain_full"].format(
        level=spread.level, domain=domain, taken=spread.taken[domain], most=spread.max_per_domain
    )


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change."""
    return ", ".join(
        f"label the host with its {spread.level}"
        if domain is None
        else f"free a place in {spread.level} {domain}"
        for spread, domain in _wrong(question, row)
    )


def _wrong(question: Question, row: int) -> list[tuple[Spread, str | None]]:
    wrong = []
    for spread in question.load.spread:
        snapshot = question.snapshot
        domain = (
            snapshot.names[row] if spread.level == "host" else snapshot.labels.rows[row].get(spread.level)
        )
        if domain is None or spread.taken.get(domain, 0) >= spread.max_per_domain:
            wrong.append((spread, domain))
    return wrong
