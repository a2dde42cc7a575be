"""What is to be rebalanced: hosts, the loads on them, what their use costs, and which rules hold.

The model is the machine reassignment problem of the ROADEF/EURO challenge 2012 (Google), in whole numbers. Loads
of one group are replicas: no two on one host, in at least so many failure domains, and each in a zone where what
the group needs runs too. A load on the move takes its transient resources on both hosts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from balancer_core.errors import InvalidInput
from balancer_core.rebalance.rules import breach

Whole = NDArray[np.int64]

#: No cost or sum of amounts may reach this: below it whole numbers are exact as floats too, in any order.
EXACT_LIMIT: Final = 2**53

#: More hosts, loads, groups, domains or zones than this are refused.
MOST_ROWS: Final = 2**24


class InvalidProblem(InvalidInput):
    """A problem that means nothing, or whose loads already break a rule where they are."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Of what is free on a host, `against` should be at least `target` times `of`; a unit less costs `weight`.

    of, against: columns of resources.
    """

    of: int
    against: int
    target: int
    weight: int


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """H hosts, R resources, L loads in G groups. Arrays are copied as int64, and frozen.

    capacity[H, R]: never exceeded. safety[H, R]: use above it costs load_weight[R] a unit.
    transient[R]: 1 where a moved load is counted on the host that it leaves, too.
    domain[H], zone[H]: failure domain, and the zone within which needs are met; numbers below H.
    demand[L, R], group[L], current[L]: what each load asks for, its group, and the host where it is.
    spread[G]: the least domains a group is in. needs[N, 2]: (group, needed): wherever a load of the group is,
    one of the needed group is in the same zone.
    move_cost[L]: of moving a load at all, times move_weight. route_cost[H, H]: from host to host, times
    route_weight; nothing from a host to itself. group_weight: times the most loads moved of one group.
    Errors: InvalidProblem, which names the field; code not_whole, wrong_shape, negative, out_of_range or
    too_large, or the rule that `current` breaks (rules.Breach). Cost: O(H (R + H) + L R + N).
    """

    capacity: Whole
    safety: Whole
    load_weight: Whole
    transient: Whole
    domain: Whole
    zone: Whole
    demand: Whole
    group: Whole
    current: Whole
    spread: Whole
    needs: Whole
    move_cost: Whole
    route_cost: Whole
    balances: tuple[Balance, ...] = ()
    move_weight: int = 1
    route_weight: int = 1
    group_weight: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_weight") and field.name != "load_weight":
                _check_number(value, field.name)
            elif field.name != "balances":
                object.__setattr__(self, field.name, _frozen(value, field.name))
        self._check_shapes()
        self._check_ranges()
        self._check_size()
        found = breach(self, self.current)
        if found is not None:
            raise InvalidProblem("current", found.code, found.reason)

    @property
    def hosts(self) -> int:
        """H."""
        return len(self.capacity)

    @property
    def loads(self) -> int:
        """L."""
        return len(self.demand)

    @property
    def groups(self) -> int:
        """G."""
        return len(self.spread)

    def _check_shapes(self) -> None:
        if self.capacity.ndim != 2 or 0 in self.capacity.shape:
            raise InvalidProblem("capacity", "wrong_shape", "there is a row a host and a column a resource.")
        if self.demand.ndim != 2 or self.spread.ndim != 1:
            field = "spread" if self.demand.ndim == 2 else "demand"
            raise InvalidProblem(field, "wrong_shape", "it has another number of dimensions.")
        hosts, resources = self.capacity.shape
        loads = len(self.demand)
        for field, shape in {
            "safety": (hosts, resources),
            "load_weight": (resources,),
            "transient": (resources,),
            "domain": (hosts,),
            "zone": (hosts,),
            "demand": (loads, resources),
            "group": (loads,),
            "current": (loads,),
            "needs": (len(self.needs), 2),
            "move_cost": (loads,),
            "route_cost": (hosts, hosts),
        }.items():
            found = getattr(self, field).shape
            if found != shape:
                raise InvalidProblem(field, "wrong_shape", f"it is {found}; {shape} would fit the others.")
        for field, count in (("capacity", hosts), ("demand", loads), ("spread", self.groups)):
            if count > MOST_ROWS:
                raise InvalidProblem(field, "too_large", f"there are {count:,} rows; {MOST_ROWS:,} at most.")

    def _check_ranges(self) -> None:
        hosts, resources = self.capacity.shape
        limits = {"transient": 2, "domain": hosts, "zone": hosts, "group": self.groups, "current": hosts}
        limits["needs"] = self.groups
        for field, limit in limits.items():
            column = getattr(self, field)
            if (column >= limit).any():
                worst = int(column.max())
                raise InvalidProblem(field, "out_of_range", f"{worst} is not below {limit}.")
        if self.route_cost.diagonal().any():
            raise InvalidProblem("route_cost", "out_of_range", "from a host to itself it is 0.")
        for number, balance in enumerate(self.balances):
            for name in ("of", "against", "target", "weight"):
                _check_number(getattr(balance, name), f"balances.{number}.{name}")
            for name in ("of", "against"):
                if getattr(balance, name) >= resources:
                    raise InvalidProblem(
                        f"balances.{number}.{name}", "out_of_range", "there is no such resource."
                    )

    def _check_size(self) -> None:
        """Refuse what could leave the range of exact numbers, whatever goes where."""
        asked = [int(total) for total in self.demand.astype(object).sum(axis=0)] if self.loads else []
        there = [int(total) for total in self.capacity.astype(object).sum(axis=0)]
        asked = asked or [0] * len(there)
        most = sum(int(weight) * total for weight, total in zip(self.load_weight, asked, strict=True))
        for balance in self.balances:
            free = balance.target * (there[balance.of] + asked[balance.of])
            most += balance.weight * (free + there[balance.against] + asked[balance.against])
        most += self.move_weight * int(self.move_cost.astype(object).sum() or 0)
        most += self.loads * (self.route_weight * int(self.route_cost.max(initial=0)) + self.group_weight)
        if most >= EXACT_LIMIT:
            raise InvalidProblem("load_weight", "too_large", "costs could come to 2**53 or more; scale them.")
        for field, total in (
            ("demand", max(asked)),
            ("capacity", max(there)),
            ("safety", int(self.safety.max())),
        ):
            if total >= EXACT_LIMIT // 4:
                raise InvalidProblem(field, "too_large", "amounts come to 2**51 or more; scale them.")


def _frozen(values: ArrayLike, field: str) -> Whole:
    found = np.asarray(values)
    if found.size == 0 and found.dtype == np.float64:  # an empty list has no type of its own
        found = found.astype(np.int64)
    if found.dtype.kind not in "iub":
        raise InvalidProblem(field, "not_whole", f"its numbers are {found.dtype}, not whole.")
    if found.size and (found < 0).any():
        raise InvalidProblem(field, "negative", "there is a number below zero.")
    if found.size and found.max() >= EXACT_LIMIT:
        raise InvalidProblem(field, "too_large", "there is a number of 2**53 or more.")
    kept = np.array(found, dtype=np.int64, order="C")
    kept.setflags(write=False)
    return kept


def _check_number(value: object, field: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidProblem(field, "not_whole", f"{str(value)[:80]!r} is not a whole number.")
    if value < 0:
        raise InvalidProblem(field, "negative", "it is below zero.")
    if value >= EXACT_LIMIT:
        raise InvalidProblem(field, "too_large", "it is 2**53 or more.")
