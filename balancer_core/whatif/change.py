"""What is changed in a what-if, checked against the snapshot that it is asked of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from balancer_core.cluster.labels import InvalidLabel, check_labels
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.errors import InvalidInput
from balancer_core.policies import POLICIES
from balancer_core.resources import InvalidAmount

LEAST_TIMES: Final = 0.01
MOST_TIMES: Final = 100.0
MOST_NEWCOMERS: Final = 1_000


class InvalidChange(InvalidInput):
    """A change that can't be asked of this cluster."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A host that would be added. capacity: in base units."""

    name: str
    capacity: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What would be different.

    drain: hosts that everything leaves. remove: the same, and they are gone. add: newcomers.
    times: what every load, and everything measured, would be of what it is now. policy: that every load is judged
    by instead of its own, "" for its own. margin: under another policy a load moves only where that costs at least
    this share less than staying.
    """

    drain: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    add: tuple[Newcomer, ...] = ()
    times: float = 1.0
    policy: str = ""
    margin: float = 0.1

    @property
    def is_nothing(self) -> bool:
        """Whether it changes nothing at all."""
        return not (self.drain or self.remove or self.add or self.policy) and self.times == 1.0

    def check(self, snapshot: Snapshot) -> None:
        """Errors: InvalidChange naming the field: a host that is not there or named twice, a factor, policy or
        margin that can't be, a newcomer's name, capacity or label."""
        for name, hosts in (("drain", self.drain), ("remove", self.remove)):
            if unknown := sorted(host for host in hosts if host not in snapshot.rows):
                raise InvalidChange(name, "unknown", f"there is no host called {unknown[0][:80]!r}.")
        if both := sorted(self.drain & self.remove):
            raise InvalidChange("remove", "duplicate", f"{both[0]} is drained already.")
        if not (math.isfinite(self.times) and LEAST_TIMES <= self.times <= MOST_TIMES):
            reason = f"{self.times!r} is not a factor from {LEAST_TIMES:g} to {MOST_TIMES:g}."
            raise InvalidChange("times", "out_of_range", reason)
        if self.policy and self.policy not in POLICIES:
            reason = f"{self.policy[:80]!r} is none of {', '.join(POLICIES)}."
            raise InvalidChange("policy", "unknown_policy", reason)
        if not (math.isfinite(self.margin) and 0.0 <= self.margin <= 1.0):
            raise InvalidChange("margin", "out_of_range", f"{self.margin!r} is not a share from 0 to 1.")
        if len(self.add) > MOST_NEWCOMERS:
            raise InvalidChange("add", "too_many", f"at most {MOST_NEWCOMERS:,} hosts can be added.")
        seen = set(snapshot.rows)
        for position, each in enumerate(self.add):
            if not each.name or each.name in seen:
                raise InvalidChange(
                    f"add.{position}.name", "duplicate", f"{each.name[:80]!r} is taken or empty."
                )
            seen.add(each.name)
            try:
                snapshot.dimensions.capacity_vector(each.capacity)
                check_labels(each.labels)
            except (InvalidAmount, InvalidLabel) as error:
                raise InvalidChange(f"add.{position}.{error.field}", error.code, error.reason) from None
