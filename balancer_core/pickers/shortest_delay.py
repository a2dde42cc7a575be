"""Shortest expected delay: the member where (in flight + 1) / weight is least.

With weights in requests per second, that is how long the request would wait and be served if members are as
fast as their weights say. Members that are equally good are drawn from at random, so that the first of them
is not everybody's.
Paper: Banawan, Zahorjan: Load sharing in heterogeneous queueing systems, INFOCOM 1989; the same rule as "sed"
of Linux LVS.
Assumptions: the picker sees all that is in flight, or nearly.
Cost: O(N), at most one random number.
When not to use it: with many pickers that each see only their own requests: they agree on the same best
member and flood it (PowerOfTwoChoices). With requests of very unequal size, where a count says little.
"""

from __future__ import annotations

from collections.abc import Sequence

from balancer_core.pickers.members import Members
from balancer_core.randomness import Random, below


class ShortestDelay:
    """Picks among these members with the caller's random numbers."""

    def __init__(self, members: Members, rng: Random) -> None:
        self.members = members
        self._rng = rng
        self._weights: list[float] = members.weights.tolist()

    def pick(self, in_flight: Sequence[int]) -> str:
        """The member for a request; in_flight by row of members."""
        delays = [(count + 1) / weight for count, weight in zip(in_flight, self._weights, strict=True)]
        least = min(delays)
        equal = [row for row, delay in enumerate(delays) if delay == least]
        row = equal[0] if len(equal) == 1 else equal[below(self._rng, len(equal))]
        return self.members.names[row]
