"""Consistent hashing with bounded load: a key's own member unless that is full, and full means (1 + slack)
fair shares.

With m keys held, no member holds more than ceil((1 + slack) * m * its share); a key goes to the first member
of its own ranking that is below.
Paper: Mirrokni, Thorup, Zadimoghaddam: Consistent hashing with bounded loads, SODA 2018. Theirs walks a ring,
where what a full member turns away all goes to its neighbour; ours walks the key's weighted rendezvous
ranking, so that it goes to all others by weight (the idea of Chen, Coleman, Shrivastava: Revisiting
consistent hashing with bounded loads, AAAI 2021).
Keeps: every key whose member is not full, so nearly all for slack 0.25 and more. The smaller the slack, the
more keys follow when a member comes or goes.
Assumptions: the caller counts what each member holds now (requests in flight, sessions, shards).
Cost: O(N) a pick, no more when members are full.
When not to use it: where a key must find its state again without asking anyone: where it is depends on who
was full when it came.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.hashing import Ranker, bounded_many
from balancer_core.pickers.hashing import InvalidMembers
from balancer_core.pickers.members import Members

#: What Vimeo, who put it into HAProxy, and Envoy's documentation start from.
SLACK: Final = 0.25


class BoundedLoad:
    """Picks among these members. slack: how far above its fair share a member may go, above 0.

    Errors: InvalidMembers with field slack.
    """

    def __init__(self, members: Members, slack: float = SLACK) -> None:
        if isinstance(slack, bool) or not isinstance(slack, int | float) or not 1e-6 <= slack <= 1e3:
            raise InvalidMembers("slack", "out_of_range", f"{slack!r} is not a number from 0.000001 to 1000.")
        self.members = members
        self.slack = float(slack)
        self._ranker = Ranker(members.seeds, members.weights, members.seed)
        self._allowances = (1.0 + self.slack) * members.shares()

    def bounds(self, total: int) -> NDArray[np.int64]:
        """int64[N]: the most that each member may hold when all hold this many together; they sum to at
        least that.
        """
        return np.ceil(self._allowances * total).astype(np.int64)

    def pick(self, key: str | bytes, loads: NDArray[np.int64]) -> str:
        """The member for one key more than these loads, int64[N] by row of members.

        Errors: ValueError, shape.
        """
        return self.members.names[self._ranker.pick_bounded(key, loads, self._allowances)]

    def rows(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """int64[K]: all these keys placed in order, with the bounds of K keys from the first on."""
        rows, loads = np.empty(len(hashes), dtype=np.int64), np.zeros(len(self.members), dtype=np.int64)
        seeds, weights = self.members.seeds, self.members.weights
        bounded_many(hashes, seeds, weights, loads, self._allowances, len(hashes), rows)
        return rows
