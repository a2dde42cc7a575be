"""Labels: the host carries every label that the load requires, with the same value.

Assumption: labels change rarely; their columns are shared by snapshots until one does.
Cost: O(H) for each required label, plus O(H) once for a key that was never asked for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.question import Question

NAME: Final = "labels"
REASONS: Final = {
    "label_missing": "The host has no label {key}, {key}={value} is required.",
    "label_differs": "The host has {key}={found}, {key}={value} is required.",
}
PHRASES: Final = {"label_missing": "without the label", "label_differs": "with another label"}


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 carries all, 1 lacks one, 2 has another value. None if none is required."""
    if not question.load.labels:
        return None
    verdict = np.zeros(len(question.snapshot), dtype=np.uint8)
    for key, value in question.load.labels.items():
        column, numbers = question.snapshot.labels.column(key)
        wanted = numbers.get(value, -2)
        wrong = np.where(column == wanted, 0, np.where(column < 0, 1, 2)).astype(np.uint8)
        np.copyto(verdict, wrong, where=verdict == 0)
    return verdict


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for the first required label that the host does not carry."""
    key, value = _wrong(question, row)[0]
    found = question.snapshot.labels.rows[row].get(key)
    code = "label_missing" if found is None else "label_differs"
    return REASONS[code].format(key=key, value=value, found=found)


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change."""
    return "label the host " + ", ".join(f"{key}={value}" for key, value in _wrong(question, row))


def _wrong(question: Question, row: int) -> list[tuple[str, str]]:
    carried = question.snapshot.labels.rows[row]
    return [(key, value) for key, value in question.load.labels.items() if carried.get(key) != value]
