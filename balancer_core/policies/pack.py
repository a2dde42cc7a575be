"""Pack: each load goes where it strands least free capacity (scores.stranded).

For batch jobs and for keeping hosts empty; loads land on hosts whose free room has their shape, fuller ones
first.
Options: weights, a number a resource, 1 where not given; 0 lets that resource be stranded freely.
When not to use it: for services. A packed host has long queues.
"""

from __future__ import annotations

from typing import Any, Final

from balancer_core.policies.options import WEIGHTS_SCHEMA
from balancer_core.scores import SCORES

NAME: Final = "pack"
VERSION: Final = "1"
SCORE: Final = SCORES["stranded"]
SCHEMA: Final[dict[str, Any]] = WEIGHTS_SCHEMA


def phrase(total: str) -> str:
    """What a score of this size says about a host."""
    return f"scores {total} for stranded and empty room"
