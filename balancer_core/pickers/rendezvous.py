"""Weighted rendezvous (highest random weight): each key ranks all members, and the first takes it.

Every member draws a number from (0, 1) for the key, x, and the least -ln(x) / weight wins: the first of N
clocks that ring at rates equal to the weights, so that each member wins its exact share of the keys.
Paper: Thaler, Ravishankar: Using name-based mappings to increase hit rates, IEEE/ACM ToN 1998; the weights by
exponential draws, as in Schindelhauer, Schomaker: Weighted distributed hash tables, SPAA 2005.
Keeps: a key moves only if its own member left or lost weight, or to the member that came or gained. That is
the minimum.
Assumptions: names are stable; all who pick have the same members (the order does not matter).
Cost: O(N) a pick, about 2 ns a member; no table, so that a change costs nothing.
When not to use it: with hundreds of members and millions of picks a second (Maglev), or where a hot key may
overload its member (BoundedLoad).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.hashing import Ranker, rendezvous_many
from balancer_core.pickers.members import Members


class Rendezvous:
    """Picks among these members. Nothing in it changes."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self._ranker = Ranker(members.seeds, members.weights, members.seed)

    def pick(self, key: str | bytes) -> str:
        """The member for a key."""
        return self.members.names[self._ranker.pick(key)]

    def ranking(self, key: str | bytes, places: int) -> tuple[str, ...]:
        """The first few members for a key, best first: for replicas, and for whom to ask when the first is
        gone.

        As if each had left after it was ranked, so the second is who would take over from the first.
        O(places N).
        """
        count = len(self.members)
        loads, once = np.zeros(count, dtype=np.int64), np.ones(count)
        ranked = []
        for _ in range(min(places, count)):
            row = self._ranker.pick_bounded(key, loads, once, 1)
            loads[row] = 1
            ranked.append(self.members.names[row])
        return tuple(ranked)

    def rows(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """int64[K]: the row in members of each digest. O(K N)."""
        rows = np.empty(len(hashes), dtype=np.int64)
        rendezvous_many(hashes, self.members.seeds, self.members.weights, rows)
        return rows
