"""Spread: each load goes where it raises the cluster's cost least (scores.marginal).

The policy for services and for anything people wait for: it evens out queues, not host counts.
Options: weights, a number a resource, 1 where not given; 2 makes that resource count twice, 0 not at all.
When not to use it: when whole hosts should stay free. See pack.
"""

from __future__ import annotations

from typing import Any, Final

from balancer_core.policies.options import WEIGHTS_SCHEMA
from balancer_core.scores import SCORES

NAME: Final = "spread"
VERSION: Final = "1"
SCORE: Final = SCORES["marginal"]
SCHEMA: Final[dict[str, Any]] = WEIGHTS_SCHEMA


def phrase(total: str) -> str:
    """What a score of this size says about a host."""
    return f"raises the cluster's cost by {total}"
