"""What a simulated run came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Summary:
    """Counts over a run, and means over its time.

    arrived = placed + refused. lost: placements that ended with their host; replaced: those of them placed
    again.
    running: at the end. finished: those that ran their time out.
    reasons: over all refusals, reason code to number of hosts.
    utilisation: by resource, reserved as a share of the capacity there is, mean over time.
    uneven: the busiest host's share of its scarcest resource over the hosts' mean, mean over time; 1 is
    level.
    fullest: the largest share of any resource reserved right after a placement; above 1 would be a mistake.
    """

    arrived: int = 0
    placed: int = 0
    refused: int = 0
    lost: int = 0
    replaced: int = 0
    finished: int = 0
    running: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    utilisation: dict[str, float] = field(default_factory=dict)
    uneven: float = 1.0
    fullest: float = 0.0
