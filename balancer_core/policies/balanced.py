"""Balanced: each load goes where its shape matches what the host has left (scores.angle).

For mixed loads on unequal hosts: a load that needs much memory goes where memory is what is left over, so
that no host runs out of one resource while it has plenty of another.
Options: weights, a number a resource, 1 where not given; 0 leaves that resource out of the shapes.
When not to use it: for what waits in queues (spread), or where whole hosts should stay free (pack).
"""

from __future__ import annotations

from typing import Any, Final

from balancer_core.policies.options import WEIGHTS_SCHEMA
from balancer_core.scores import SCORES

NAME: Final = "balanced"
VERSION: Final = "1"
SCORE: Final = SCORES["angle"]
SCHEMA: Final[dict[str, Any]] = WEIGHTS_SCHEMA


def phrase(total: str) -> str:
    """What a score of this size says about a host."""
    return f"is {total} away from the load's shape"
