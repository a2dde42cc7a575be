"""Replicas of shards on places, and which of them may be where: what a plan of moves starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from balancer_core.errors import InvalidInput

Amounts = NDArray[np.float64]
Numbers = NDArray[np.int32]
Flags = NDArray[np.bool_]

#: More places, replicas or groups than this are refused.
MOST_ROWS: Final = 2**20


class InvalidShards(InvalidInput):
    """Shards, places or goals that mean nothing together."""


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource of all places: who has how much of it.

    node[P]: whose amount a place draws on, a number below len(capacity): its own, or one that several places
    share, as disks share their host's network.
    capacity[nodes], base[nodes]: what there is, and what others than replicas hold of it.
    ceiling: no move takes a node above this share of its capacity; None where load may pile up (rates).
    """

    name: str
    node: Numbers
    capacity: Amounts
    base: Amounts
    ceiling: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shards:
    """P places on hosts, N replicas in G groups (a shard's replicas, or an erasure set's pieces).

    resources: the first is what is copied when a replica moves (bytes).
    host[P]: by which moves are limited. domain[levels, P]: failure domains, one row a level.
    accepts[P]: takes replicas. gone[P]: its replicas must leave it (drained), or have to be made anew (lost[P],
    which implies gone). A place may neither accept nor be gone: it keeps what it has.
    demand[N, R], group[N], home[N]: what each replica asks for, its group, the place where it is (for one that is
    lost: where it was). apart[G]: the level at which no two of a group share a domain.
    Errors: InvalidShards, which names the field. Cost: O(N R + levels P).
    """

    resources: tuple[Resource, ...]
    host: Numbers
    domain: Numbers
    accepts: Flags
    gone: Flags
    lost: Flags
    demand: Amounts
    group: Numbers
    home: Numbers
    apart: Numbers

    def __post_init__(self) -> None:
        for name in ("host", "group", "home", "apart", "domain"):
            _keep(self, name, np.int32)
        for name in ("accepts", "gone", "lost"):
            _keep(self, name, np.bool_)
        _keep(self, "demand", np.float64)
        places, groups = len(self.host), len(self.apart)
        if not self.resources:
            raise InvalidShards("resources", "too_short", "at least one resource, which is what is copied.")
        if not 1 <= places <= MOST_ROWS or len(self.group) > MOST_ROWS or groups > MOST_ROWS:
            raise InvalidShards("host", "out_of_range", f"1 to {MOST_ROWS} places, and as many replicas.")
        self._shapes(places)
        self._ranges("group", self.group, groups)
        self._ranges("home", self.home, places)
        self._ranges("apart", self.apart, len(self.domain))
        self._ranges("host", self.host, places)
        if not np.isfinite(self.demand).all() or (self.demand < 0).any():
            raise InvalidShards("demand", "not_finite", "amounts are finite and not negative.")
        if (self.lost & ~self.gone).any() or (self.accepts & self.gone).any():
            raise InvalidShards(
                "gone", "contradiction", "what is lost is gone, and what is gone accepts nothing."
            )
        for number, resource in enumerate(self.resources):
            _check(f"resources.{number}", resource, places)

    def _shapes(self, places: int) -> None:
        count = len(self.group)
        if self.demand.shape != (count, len(self.resources)) or len(self.home) != count:
            raise InvalidShards("demand", "wrong_shape", "one row a replica, one column a resource.")
        if self.domain.ndim != 2 or self.domain.shape[1] != places:
            raise InvalidShards("domain", "wrong_shape", "one row a level, one column a place.")
        for name in ("accepts", "gone", "lost"):
            if getattr(self, name).shape != (places,):
                raise InvalidShards(name, "wrong_shape", "one for each place.")

    def _ranges(self, field: str, numbers: Numbers, below: int) -> None:
        if len(numbers) and not (0 <= numbers.min() and numbers.max() < below):
            raise InvalidShards(field, "out_of_range", f"numbers from 0 to {below - 1}.")

    @property
    def leave(self) -> Flags:
        """bool[N]: which replicas can't stay."""
        return self.gone[self.home]

    @property
    def sizes(self) -> Amounts:
        """float64[N]: what moving each replica copies."""
        return self.demand[:, 0]


def _keep(shards: Shards, name: str, kind: type[np.generic]) -> None:
    column = np.array(getattr(shards, name), dtype=kind)
    column.setflags(write=False)
    object.__setattr__(shards, name, column)


def _check(field: str, resource: Resource, places: int) -> None:
    capacity, base, node = resource.capacity, resource.base, resource.node
    if node.shape != (places,) or base.shape != capacity.shape:
        raise InvalidShards(field, "wrong_shape", "a node for each place, a base for each capacity.")
    if len(node) and not (0 <= node.min() and node.max() < len(capacity)):
        raise InvalidShards(f"{field}.node", "out_of_range", "numbers of the resource's capacities.")
    for name, column in (("capacity", capacity), ("base", base)):
        if not np.isfinite(column).all() or (column < 0).any():
            raise InvalidShards(f"{field}.{name}", "not_finite", "amounts are finite and not negative.")
    if (capacity[node] <= 0).any():
        raise InvalidShards(f"{field}.capacity", "out_of_range", "a place without any takes no replicas.")
    if resource.ceiling is not None and not 0 < resource.ceiling <= 1:
        raise InvalidShards(f"{field}.ceiling", "out_of_range", "a share above 0, at most 1.")


def numbered(labels: ArrayLike) -> Numbers:
    """Numbers from 0 for labels, in the order of their names."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int32)
