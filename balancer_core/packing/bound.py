"""How many hosts a set of loads needs at least.

Two bounds, the larger counts: by volume, the fewest hosts that have enough of each resource together; by
conflict, the size of a set of loads of which no two fit a host together, found greedily (a clique of the
conflict graph; Martello & Toth's L2 takes such loads as its first part).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from balancer_core.packing.bins import Whole

#: Pairs are not compared among more loads than this.
MOST_COMPARED: Final = 2048


def least_hosts(free: Whole, sizes: Whole) -> int:
    """No packing of all these loads, each of which some host has room for, uses fewer hosts.

    free: int64[H, R]; sizes: int64[N, R]. Cost: O(H R log H + N^2 R), beyond 2,048 loads without the square.
    """
    if not len(sizes) or not len(free):
        return 0
    return max(by_volume(free, sizes), by_conflict(free, sizes) if len(sizes) <= MOST_COMPARED else 1)


def by_volume(free: Whole, sizes: Whole) -> int:
    """The fewest hosts that have enough of every one resource, each resource for itself."""
    largest_first = -np.sort(-free, axis=0)
    enough = largest_first.cumsum(axis=0) >= sizes.sum(axis=0)
    # Where even all hosts are too few, not all loads can be placed; all hosts is then as good a bound as any.
    needed = np.where(enough.any(axis=0), enough.argmax(axis=0) + 1, len(free))
    return int(needed.max(initial=1))


def by_conflict(free: Whole, sizes: Whole) -> int:
    """The largest of the cliques found from each resource's large loads, and from those with most conflicts."""
    room = free.max(axis=0)
    conflict = np.zeros((len(sizes), len(sizes)), dtype=np.bool_)
    for column, most in enumerate(room.tolist()):
        amounts = sizes[:, column]
        conflict |= amounts[:, None] + amounts[None, :] > most
    np.fill_diagonal(conflict, val=False)
    degrees = conflict.sum(axis=1)
    found = 1
    for column in range(-1, len(room)):
        clique = (
            np.flatnonzero(2 * sizes[:, column] > room[column]) if column >= 0 else np.empty(0, dtype=int)
        )
        count = len(clique)
        able = conflict[clique].all(axis=0)
        while able.any():
            # An index into those who still conflict with all of the clique, the one with the most conflicts.
            chosen = int(np.where(able, degrees, -1).argmax())
            able &= conflict[chosen]
            count += 1
        found = max(found, count)
    return found
