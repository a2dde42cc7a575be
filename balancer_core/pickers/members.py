"""Who can be picked: names and weights, checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.pickers.hashing import InvalidMembers, check_seed, digests

MAX_MEMBERS: Final = 100_000

#: The heaviest may have this many times the lightest's weight; beyond it the lightest would take nothing
#: anyway.
MAX_RATIO: Final = 1e6

#: Members are digested under another seed than keys: a key that reads like a member's name is a key like any
#: other.
OF_MEMBERS: Final = 0x6D65_6D62_6572_7300


class Members:
    """Names with weights above 0, in the order given; a weight of 0 leaves its member out.

    names: by row. weights: float64[N]. seeds: uint64[N], each a digest of the name alone, so that what a
    member draws does not depend on who else is there. Read-only.
    Errors: InvalidMembers.
    """

    def __init__(self, weights: Mapping[str, float], seed: int = 0) -> None:
        if not isinstance(weights, Mapping):
            raise InvalidMembers("members", "not_a_mapping", "members are pairs of name and weight.")
        if len(weights) > MAX_MEMBERS:
            raise InvalidMembers(
                "members", "too_many", f"{len(weights):,}; at most {MAX_MEMBERS:,} are taken."
            )
        for name, weight in weights.items():
            if not isinstance(name, str) or not name:
                raise InvalidMembers("members", "invalid_name", f"{name!r} is not a name.")
            if not _is_weight(weight):
                reason = f"{weight!r} is not a finite number of at least 0."
                raise InvalidMembers(f"members.{name[:80]}", "invalid_weight", reason)
        kept = {name: float(weight) for name, weight in weights.items() if weight > 0}
        if not kept:
            raise InvalidMembers("members", "empty", "no member has a weight above 0.")
        if max(kept.values()) > MAX_RATIO * min(kept.values()):
            lightest = min(kept, key=kept.__getitem__)
            reason = (
                f"its weight is less than one millionth of the heaviest's; {MAX_RATIO:,.0f} to 1 is allowed."
            )
            raise InvalidMembers(f"members.{lightest[:80]}", "too_uneven", reason)
        self.seed = check_seed(seed)
        self.names: tuple[str, ...] = tuple(kept)
        # Scaled to the heaviest, so that no weight is too small or too large to calculate with.
        heaviest = max(kept.values())
        self.weights: NDArray[np.float64] = np.array([weight / heaviest for weight in kept.values()])
        self.seeds: NDArray[np.uint64] = digests(self.names, seed ^ OF_MEMBERS)
        self.weights.flags.writeable = self.seeds.flags.writeable = False

    def __len__(self) -> int:
        return len(self.names)

    def shares(self) -> NDArray[np.float64]:
        """float64[N]: each member's fair share, summing to 1."""
        shares: NDArray[np.float64] = self.weights / self.weights.sum()
        return shares


def _is_weight(weight: object) -> bool:
    if isinstance(weight, bool) or not isinstance(weight, int | float | np.integer | np.floating):
        return False
    return math.isfinite(weight) and bool(weight >= 0)
