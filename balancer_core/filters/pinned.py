"""Pinned: the load itself names the only hosts that may take it.

Assumption: a name that is no host's is waited for, not a mistake; with none of them there, nothing takes the
load.
Cost: O(H).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.question import Question

NAME: Final = "pinned"
REASONS: Final = {"not_pinned": "The load is pinned to other hosts."}
PHRASES: Final = {"not_pinned": "other than it is pinned to"}


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 pinned, 1 not. None if the load is not pinned."""
    if not question.load.pin_hosts:
        return None
    verdict = np.ones(len(question.snapshot), dtype=np.uint8)
    rows = question.snapshot.rows
    verdict[[rows[name] for name in question.load.pin_hosts if name in rows]] = 0
    return verdict


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for one host."""
    return REASONS["not_pinned"]


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change."""
    return "pin the load to this host too"
