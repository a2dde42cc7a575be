"""Healthy: the host is there, and its reports can be believed.

Assumption: the flags are kept by failure detection; this rule judges no report's age (cost does, as doubt).
Cost: O(H).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.columns import DISTRUSTED, LOST
from balancer_core.question import Question

NAME: Final = "healthy"
REASONS: Final = {
    "lost": "The host is lost: nothing has been heard from it.",
    "distrusted": "The host's reports are distrusted.",
}
PHRASES: Final = {"lost": "lost", "distrusted": "distrusted"}


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H] of verdicts; None if no host carries a flag."""
    flags = question.snapshot.flags
    return verdicts(flags) if flags.any() else None


def verdicts(flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8, for each flags: 0 healthy, 1 lost, 2 distrusted; lost is named where both hold."""
    return np.where(flags & LOST, 1, np.where(flags & DISTRUSTED, 2, 0)).astype(np.uint8)


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for one host."""
    return tuple(REASONS.values())[verdict - 1]


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change."""
    return "bring the host back" if verdict == 1 else "clear the distrust of its reports"
