"""How much a pool can hold whose shards' pieces lie in domains of their own.

Pieces of equal shards fill domains evenly until a small one is full; then the others can't be used beyond what it
allows. With room r of each domain and p pieces, the most that every piece can have is
    t = min over j < p of (sum of r without its j largest) / (p - j)
since j domains that are larger than t take j pieces at most, and the others must take the rest. The pool holds p t.
Assumption: shards are small against a domain. Cost: O(D log D).
"""

from __future__ import annotations

from collections.abc import Sequence

from balancer_core.shards.problem import InvalidShards


def holdable(rooms: Sequence[float], pieces: int) -> float:
    """Bytes of all pieces together that domains with this room can hold; 0 with fewer domains than pieces.

    Errors: InvalidShards for no pieces, or room that is negative or no number.
    """
    if pieces < 1:
        raise InvalidShards("pieces", "out_of_range", "at least one.")
    if not all(0.0 <= room < float("inf") for room in rooms):
        raise InvalidShards("rooms", "not_finite", "amounts are finite and not negative.")
    if len(rooms) < pieces:
        return 0.0
    ordered = sorted(rooms, reverse=True)
    left, most = sum(ordered), float("inf")
    for j in range(pieces):
        most = min(most, left / (pieces - j))
        left = max(left - ordered[j], 0.0)
    return pieces * most
