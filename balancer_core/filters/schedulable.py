"""Schedulable: no operator has asked that nothing new comes here.

Assumption: cordon and drain both mean it; drain also empties the host, which is not this rule's business.
Cost: O(H).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.columns import CORDONED, DRAINING
from balancer_core.question import Question

NAME: Final = "schedulable"
REASONS: Final = {
    "draining": "The host is draining: what is there leaves.",
    "cordoned": "The host is cordoned: nothing new comes.",
}
PHRASES: Final = {"draining": "draining", "cordoned": "cordoned"}


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H] of verdicts; None if no host carries a flag."""
    flags = question.snapshot.flags
    return verdicts(flags) if flags.any() else None


def verdicts(flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8, for each flags: 0 open, 1 draining, 2 cordoned; draining is named where both hold."""
    return np.where(flags & DRAINING, 1, np.where(flags & CORDONED, 2, 0)).astype(np.uint8)


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for one host."""
    return tuple(REASONS.values())[verdict - 1]


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change."""
    return "end the drain" if verdict == 1 else "lift the cordon"
