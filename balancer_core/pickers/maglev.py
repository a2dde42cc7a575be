"""Maglev: a table of slots, filled by members in turns, each in its own order; a pick is one look into it.

Every member goes through all slots in an order of its own and takes the next free one whenever it is its
turn; a member with half the heaviest's weight has every second turn. So shares are even to about one slot,
whatever the names.
Paper: Eisenbud et al.: Maglev: A fast and reliable software network load balancer, NSDI 2016, section 3.4.
Keeps: most keys. When a member leaves, its slots go to others, and few other slots change hands; more than
rendezvous moves, and fewer the larger the table is.
Assumptions: all who pick have the same members in any order (they are sorted by name) and the same size.
Cost: O(M ln M) to build, about 2 ms at 65,537 slots; O(1) a pick; 4 bytes a slot.
When not to use it: where every moved key costs something (Rendezvous moves none needlessly); for pools that
change many times a second.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.hashing import digest, maglev_fill
from balancer_core.pickers.hashing import InvalidMembers, digests
from balancer_core.pickers.members import Members

#: The paper's own table; a prime.
LEAST_SIZE: Final = 65_537

#: Slots for each member at the least: shares are then even to 1 %.
SLOTS_EACH: Final = 100

MAX_SIZE: Final = 100_000_007

#: A member's start and its stride are digests under two seeds of their own.
OF_STARTS: Final = 0x7374_6172_7400_0000
OF_STRIDES: Final = 0x7374_7269_6465_0000


class Maglev:
    """Picks by a table that is built once. size: its slots, a prime above 100 times the members.

    Without a size it is 65,537 up to 655 members, beyond that the next prime above 100 times as many; a pool
    that grows across that line should be given a size, because another size moves nearly every key.
    Errors: InvalidMembers with field size (not_prime, too_small, too_large).
    """

    def __init__(self, members: Members, size: int | None = None) -> None:
        self.members = members
        self.size = _size(len(members)) if size is None else _checked(size, len(members))
        self.table = self._filled()

    def pick(self, key: str | bytes) -> str:
        """The member for a key."""
        return self.members.names[self.table.item(digest(key, self.members.seed) % self.size)]

    def rows(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """int64[K]: the row in members of each digest."""
        rows: NDArray[np.int64] = self.table[hashes % np.uint64(self.size)].astype(np.int64)
        return rows

    def _filled(self) -> NDArray[np.int32]:
        members, size = self.members, self.size
        order = np.array(sorted(range(len(members)), key=members.names.__getitem__), dtype=np.int64)
        names = [members.names[row] for row in order.tolist()]
        starts = (digests(names, members.seed ^ OF_STARTS) % np.uint64(size)).astype(np.int64)
        strides = (digests(names, members.seed ^ OF_STRIDES) % np.uint64(size - 1)).astype(np.int64) + 1
        table = np.empty(size, dtype=np.int32)
        at, owed = np.empty(len(members), dtype=np.int64), np.empty(len(members))
        maglev_fill(starts, strides, members.weights[order], at, owed, table)
        table = order.astype(np.int32)[table]
        table.flags.writeable = False
        return table


def _size(members: int) -> int:
    size = max(LEAST_SIZE, SLOTS_EACH * members + 1)
    # There is a prime between any number above 1 and its double, and near such numbers one in about sixteen
    # is.
    return next(number for number in range(size, 2 * size) if _is_prime(number))


def _checked(size: int, members: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size > MAX_SIZE:
        raise InvalidMembers("size", "too_large", f"{size!r} is not a number of slots up to {MAX_SIZE:,}.")
    if size <= SLOTS_EACH * members:
        reason = (
            f"{size:,} slots; {members:,} members need more than {SLOTS_EACH * members:,} to be even to 1 %."
        )
        raise InvalidMembers("size", "too_small", reason)
    if not _is_prime(size):
        raise InvalidMembers(
            "size", "not_prime", f"{size:,} is not prime, and strides would not reach every slot."
        )
    return size


def _is_prime(number: int) -> bool:
    if number < 2 or number % 2 == 0:
        return number == 2
    return all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))
