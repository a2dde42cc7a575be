"""The one currency: what it costs that a resource of a host is used as far as it is.

Theory of operation
- A rate resource gets worse like a queue. With u in use, an M/M/1 queue holds u/(1-u) on average, which is
  the cost.
  From RATE_KNEE on the curve goes on as its own tangent: a measured overload stays finite, and more is still
  worse.
- A capacity resource is safe until it is nearly full: CAPACITY_SLOPE * u, plus, in the last CAPACITY_KNEE of
  free room, a cubic barrier that reaches CAPACITY_BARRIER at the limit. Past the limit nothing is placed
  (filters.fits).
- Both curves are written over the free share f = 1-u, because doubt acts on what is free: a report that is
  old makes part of the free room doubtful, and doubtful room is not counted. doubt() grows with age and is
  capped.
- u counts the largest of what is reserved, what is measured and what is expected soon (forecast.soon): a
  reservation whose load has not started yet is not visible in measurements, use that nobody reserved is not
  visible in the ledger, and what rises now is not what it will be when the load has come.

Assumption: what is measured and what is reserved are mostly the same load. Where a host runs much that no
placement knows of, the larger of the two is too small by the smaller one; declare a lower capacity there.

Only +, -, *, / and comparisons, in a fixed order: the kernel computes the same bits.
These constants are the only ones; the kernel reads them from here when it is imported.
"""

from __future__ import annotations

from typing import Final

from balancer_core.resources import CAPACITY

#: Free share at which the queue's curve becomes its tangent: cost 19, slope 400 at 95 % in use.
RATE_KNEE: Final = 0.05

#: A nearly flat slope that still prefers the emptier of two hosts that are both far from full.
CAPACITY_SLOPE: Final = 0.1

#: Free share at which the barrier of a capacity resource begins.
CAPACITY_KNEE: Final = 0.15

#: The barrier's height at the limit: about what a rate resource costs at 95 %, so that neither hides the
#: other.
CAPACITY_BARRIER: Final = 20.0

#: Reports up to this age are as good as new: agents that have nothing new to say are silent this long.
DOUBT_GRACE_S: Final = 5.0

#: Share of the free room that becomes doubtful with each second beyond the grace.
DOUBT_PER_S: Final = 0.01

#: The most that can become doubtful, also for a host that never reported: its reservations still say
#: something.
DOUBT_CAP: Final = 0.3


def doubt(age_s: float) -> float:
    """Share of the free room that a report of this age leaves doubtful: 0 to DOUBT_CAP.

    inf means never reported.
    """
    if age_s <= DOUBT_GRACE_S:
        return 0.0
    share = (age_s - DOUBT_GRACE_S) * DOUBT_PER_S
    return min(DOUBT_CAP, share)


def free_share(occupied: float, capacity: float, doubtful: float) -> float:
    """Share of a capacity > 0 that is free beyond doubt; below 0 where more is in use than there is."""
    free = 1.0 - occupied / capacity
    return free * (1.0 - doubtful) if free > 0.0 else free


def price(kind: int, free: float) -> float:
    """The cost of a resource with this share free. kind: resources.RATE or CAPACITY. Falls as free rises."""
    if kind == CAPACITY:
        cost = CAPACITY_SLOPE * (1.0 - free)
        if free < CAPACITY_KNEE:
            over = (CAPACITY_KNEE - free) / CAPACITY_KNEE
            cost += CAPACITY_BARRIER * over * over * over
        return cost
    if free < RATE_KNEE:
        return (1.0 - RATE_KNEE) / RATE_KNEE + (RATE_KNEE - free) / (RATE_KNEE * RATE_KNEE)
    return (1.0 - free) / free
