"""Power of two choices: draw two members by weight, take the one with less in flight for its weight.

Two random choices instead of one bring the longest queue from ln n / ln ln n to ln ln n / ln 2, and many
pickers that know little of each other do not all run to the same member.
Paper: Mitzenmacher: The power of two choices in randomized load balancing, IEEE TPDS 2001.
The two are distinct without drawing again: the second is drawn from the line of weights with the first one's
stretch cut out. Drawn by weight, a pool of unequal members stays stable up to its whole capacity, which
uniform draws do not.
Assumptions: weights are in proportion to what members can do.
Cost: O(ln N), two random numbers.
When not to use it: with one picker that sees every request, and few members (ShortestDelay is better then).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from balancer_core.pickers.members import Members
from balancer_core.randomness import Random


class PowerOfTwoChoices:
    """Picks among these members with the caller's random numbers.

    ties: how often both had the same for their weight, so that the comparison decided nothing. Many of them
    mean that the members are idle or that in_flight is not kept up.
    """

    def __init__(self, members: Members, rng: Random) -> None:
        self.members = members
        self.picks = self.ties = 0
        self._rng = rng
        self._weights: list[float] = members.weights.tolist()
        self._ends = list(accumulate(self._weights))

    def pick(self, in_flight: Sequence[int]) -> str:
        """The member for a request; in_flight by row of members."""
        first = self._drawn(self._rng.random() * self._ends[-1])
        self.picks += 1
        if len(self.members) == 1:
            return self.members.names[first]
        start = self._ends[first] - self._weights[first]
        point = self._rng.random() * (self._ends[-1] - self._weights[first])
        second = self._drawn(point if point < start else point + self._weights[first])
        if second == first:  # The stretch was cut out in rounded numbers; its neighbour is what was meant.
            second = first + 1 if first + 1 < len(self._ends) else first - 1
        mine = (in_flight[first] + 1) / self._weights[first]
        theirs = (in_flight[second] + 1) / self._weights[second]
        self.ties += mine == theirs
        return self.members.names[second if theirs < mine else first]

    def _drawn(self, point: float) -> int:
        return min(bisect_right(self._ends, point), len(self._ends) - 1)
