"""What packing many loads onto hosts is asked and answers: whole amounts in, a row a load out.

Amounts are whole units of each resource (bytes, 1/1000 cores), so that sums are exact and a full host is full.
Who measures in fractions chooses a unit, rounds loads up and free room down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.errors import InvalidInput

Whole = NDArray[np.int64]
Real = NDArray[np.float64]

#: Resources that there may be.
MOST_RESOURCES: Final = 64

#: No amount is above it, where float64 still knows every whole number,
LARGEST: Final = 2**53

#: and no resource's total: sums are int64.
LARGEST_TOTAL: Final = 2**62


class InvalidPacking(InvalidInput):
    """Free room or loads that cannot be packed; field says which: "free", "sizes", "steps", "rule"."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Where each load goes. rows: int64[N], read-only, -1 where no host had room.

    hosts: how many take a load. bound: all loads that fit some host at all need at least so many; where
    hosts equals it and nothing was left out, there is no better packing. steps: of the search, 0 without one.
    """

    rows: Whole
    hosts: int
    bound: int
    steps: int = 0

    @property
    def placed(self) -> int:
        """Loads that have a host."""
        return int((self.rows >= 0).sum())


def answer(rows: Whole, bound: int, steps: int = 0) -> Packing:
    """The packing that these rows are."""
    rows.setflags(write=False)
    return Packing(rows, hosts_used(rows), bound, steps)


def hosts_used(rows: Whole) -> int:
    """How many hosts take a load."""
    return len(np.unique(rows[rows >= 0]))


def checked(free: NDArray[np.generic], sizes: NDArray[np.generic]) -> tuple[Whole, Whole]:
    """Both as int64 of our own, [H, R] and [N, R]. Errors: InvalidPacking."""
    room, asked = _amounts(free, "free"), _amounts(sizes, "sizes")
    if room.shape[1] != asked.shape[1]:
        raise InvalidPacking(
            "sizes", "shape", f"{asked.shape[1]} resources, and hosts have {room.shape[1]} of them."
        )
    return room, asked


def _amounts(given: NDArray[np.generic], field: str) -> Whole:
    found = np.asarray(given)
    if found.ndim != 2 or not 1 <= found.shape[1] <= MOST_RESOURCES:
        raise InvalidPacking(field, "shape", f"must be a row each, of 1 to {MOST_RESOURCES} resources.")
    if found.dtype.kind not in "iuf":
        raise InvalidPacking(field, "not_numbers", f"must be numbers, not {found.dtype}.")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise InvalidPacking(field, "not_finite", "must be finite.")
    if (found < 0).any():
        raise InvalidPacking(field, "negative", "must not be negative.")
    if (found > LARGEST).any() or (found.sum(axis=0, dtype=np.float64) >= LARGEST_TOTAL).any():
        raise InvalidPacking(field, "too_large", "too much to be summed; choose a larger unit.")
    whole = np.array(found, dtype=np.int64, order="C")
    if (whole != found).any():
        raise InvalidPacking(field, "not_whole", "must be whole units: round loads up and free room down.")
    return whole


def largest(free: Whole) -> Real:
    """float64[R]: the most of each resource that a host has free, at least 1: the unit of shares."""
    found: Real = np.maximum(free.max(axis=0, initial=1), 1).astype(np.float64)
    return found


def placeable(free: Whole, sizes: Whole) -> NDArray[np.bool_]:
    """bool[N]: the loads that some host has room for while it takes no other."""
    distinct = np.unique(free, axis=0)
    found = np.zeros(len(sizes), dtype=np.bool_)
    for room in distinct[np.argsort(-distinct.sum(axis=1), kind="stable")]:
        found |= (sizes <= room).all(axis=1)
        if found.all():
            break
    return found
