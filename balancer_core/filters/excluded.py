"""Excluded: the load itself names hosts that must not take it.

Assumption: a name that is no host's excludes nothing; the host may have left since.
Cost: O(number of excluded hosts).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.question import Question

NAME: Final = "excluded"
REASONS: Final = {"excluded": "The load excludes this host."}
PHRASES: Final = {"excluded": "excluded by the load"}


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 allowed, 1 excluded. None if the load excludes nothing."""
    if not question.load.exclude_hosts:
        return None
    verdict = np.zeros(len(question.snapshot), dtype=np.uint8)
    rows = question.snapshot.rows
    verdict[[rows[name] for name in question.load.exclude_hosts if name in rows]] = 1
    return verdict


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for one host."""
    return REASONS["excluded"]


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change."""
    return "take the host out of the load's exclusions"
