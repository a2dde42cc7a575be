"""Dominant-resource fairness between tenants: who is served next, and what everyone's fair part is.

A tenant's dominant share is the largest share it holds of any one resource; fairness is to raise the smallest
dominant share first (divided by the tenant's weight).
Paper: Ghodsi et al.: Dominant resource fairness: fair allocation of multiple resource types, NSDI 2011.
Promises, for tenants whose loads are all of one shape (the paper's, tested on random instances): nobody does
worse than with an n-th of everything (sharing incentive), nobody would rather have another's part
(envy-freeness), nothing can be given to one without taking from another (Pareto efficiency).
Assumptions: capacity is one pool. Over hosts, where a load must fit one of them, the promises hold as nearly
as loads are small beside hosts.
Cost: fill() O(T R) a round and at most R rounds; serve() and Turns O(log T) a load.
When not to use it: between loads of one tenant; that is what priorities are for.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.snapshot import Snapshot
from balancer_core.errors import InvalidInput
from balancer_core.load import Load
from balancer_core.resources import InvalidAmount

MAX_WEIGHT: Final = 1e6


class InvalidTenant(InvalidInput):
    """A tenant's weight, demand or holding that cannot be shared by; field says whose and which."""


def dominant_share(held: NDArray[np.float64], total: NDArray[np.float64]) -> tuple[float, int]:
    """The largest share of any resource in a holding, and which resource. held, total: float64[R].

    Of a resource that the cluster does not have, any amount is a share of infinity.
    """
    with np.errstate(divide="ignore"):
        shares = np.divide(held, total, out=np.zeros_like(held), where=held > 0.0)
    resource = int(shares.argmax())
    return float(shares[resource]), resource


def fill(
    total: NDArray[np.float64],
    demands: Mapping[str, NDArray[np.float64]],
    weights: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """How many of its loads each tenant may run when loads can be cut to any size: progressive filling.

    total: float64[R]. demands: float64[R] of one load of each tenant. weights: 1 where not given.
    A tenant that asks for nothing, or for what there is none of, may run 0.
    Errors: InvalidTenant.
    """
    checked = _weights(demands, weights or {})
    left = _vector(total, len(total), "total").copy()
    speed: dict[str, NDArray[np.float64]] = {}
    counts = dict.fromkeys(demands, 0.0)
    per_share: dict[str, float] = {}
    for name, demand in demands.items():
        share, _ = dominant_share(_vector(demand, len(total), f"demands.{name}"), total)
        if 0.0 < share < np.inf:
            per_share[name] = checked[name] / share  # loads for a rise of the weighted dominant share by 1
            speed[name] = demand * per_share[name]
    full = np.zeros(len(total), dtype=np.bool_)
    for _ in range(len(total)):
        # Everybody that needs nothing of what is full rises alike until the next resource is full.
        rising = [name for name in speed if not (full & (speed[name] > 0.0)).any()]
        if not rising:
            break
        use = np.sum([speed[name] for name in rising], axis=0)
        times = np.divide(left, use, out=np.full(len(total), np.inf), where=use > 0.0)
        step = float(times.min())
        for name in rising:
            counts[name] += step * per_share[name]
        left = np.maximum(left - step * use, 0.0)
        full |= times <= step
    return counts


class Turns:
    """Whose turn it is, one load at a time: always the tenant with the smallest weighted dominant share.

    It is told what was placed, so a load that found no room costs its tenant no turn.
    total: float64[R]. waiting: how many loads of each tenant wait. held: what each has already, float64[R].
    weights: 1 where not given. A tie goes to the tenant named first in waiting. Errors: InvalidTenant.
    """

    def __init__(
        self,
        total: NDArray[np.float64],
        waiting: Mapping[str, int],
        held: Mapping[str, NDArray[np.float64]] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        width, has = len(total), held or {}
        self._total = _vector(total, width, "total")
        self._weights = _weights(waiting, weights or {})
        self._waiting = waiting
        self._held = {
            name: _vector(has.get(name, np.zeros(width)), width, f"held.{name}").copy() for name in waiting
        }
        self._called = dict.fromkeys(waiting, 0)
        self._turn = {name: turn for turn, name in enumerate(waiting)}
        self._line = [(self.share(name), turn, name) for name, turn in self._turn.items() if waiting[name]]
        heapq.heapify(self._line)
        self._last: str | None = None

    def share(self, tenant: str) -> float:
        """The tenant's weighted dominant share now."""
        return dominant_share(self._held[tenant], self._total)[0] / self._weights[tenant]

    def call(self) -> tuple[str, int] | None:
        """(tenant, position in its queue) of the next load; None when all were called."""
        if self._last is not None and self._called[self._last] < self._waiting[self._last]:
            heapq.heappush(self._line, (self.share(self._last), self._turn[self._last], self._last))
        self._last = None
        if not self._line:
            return None
        name = self._last = heapq.heappop(self._line)[2]
        self._called[name] += 1
        return name, self._called[name] - 1

    def leave(self, tenant: str) -> None:
        """Nothing more of the tenant waits."""
        self._called[tenant] = self._waiting[tenant]

    def placed(self, tenant: str, demand: NDArray[np.float64]) -> None:
        """What was called last, or a load of a tenant that is not in line now, holds this much from here on."""
        self._held[tenant] += demand


def serve(
    total: NDArray[np.float64],
    queues: Mapping[str, Sequence[NDArray[np.float64]]],
    held: Mapping[str, NDArray[np.float64]] | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[tuple[str, int]]:
    """The order in which whole loads are served: (tenant, position in its queue), always the smallest share
    first.

    held: what each tenant has already, float64[R]. A tie goes to the tenant named first in queues.
    Everything that waits is in the list; who cannot be placed is the caller's to skip. Errors: InvalidTenant.
    """
    for name, queue in queues.items():
        for position, demand in enumerate(queue):
            _vector(demand, len(total), f"queues.{name}.{position}")
    turns = Turns(total, {name: len(queue) for name, queue in queues.items()}, held, weights)
    order = []
    while (turn := turns.call()) is not None:
        order.append(turn)
        turns.placed(turn[0], queues[turn[0]][turn[1]])
    return order


def tenant_fair(
    snapshot: Snapshot,
    loads: Sequence[Load],
    tenants: Sequence[str],
    held: Mapping[str, Mapping[str, float]] | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[int]:
    """The positions of a batch of loads in the order in which to decide them, fair between their tenants.

    tenants: of each load, same length. held: by tenant, amounts by resource. A tenant's own loads keep their
    order, but those of a higher priority come first. Errors: InvalidTenant, InvalidAmount for a load's
    demand.
    """
    if len(tenants) != len(loads):
        raise InvalidTenant("tenants", "wrong_length", f"{len(tenants)} tenants for {len(loads)} loads.")
    dimensions = snapshot.dimensions
    mine: dict[str, list[int]] = {}
    for position in sorted(range(len(loads)), key=lambda position: -loads[position].priority):
        mine.setdefault(tenants[position], []).append(position)
    # Tenants take turns in the order in which they appear, whatever the priorities of their loads.
    mine = {tenant: mine[tenant] for tenant in dict.fromkeys(tenants)}
    queues = {
        tenant: [dimensions.vector(loads[each].demand, f"{each}.demand") for each in positions]
        for tenant, positions in mine.items()
    }
    try:
        has = {
            tenant: dimensions.vector(amounts, f"held.{tenant}") for tenant, amounts in (held or {}).items()
        }
    except InvalidAmount as error:
        raise InvalidTenant(error.field, error.code, error.reason) from None
    total = snapshot.capacity[snapshot.flags == 0].sum(axis=0)
    return [mine[tenant][place] for tenant, place in serve(total, queues, has, weights)]


def _weights(names: Mapping[str, object], weights: Mapping[str, float]) -> dict[str, float]:
    checked = {}
    for name in names:
        weight = weights.get(name, 1.0)
        if (
            isinstance(weight, bool)
            or not isinstance(weight, int | float)
            or not 1 / MAX_WEIGHT <= weight <= MAX_WEIGHT
        ):
            reason = f"{weight!r} is not a number from {1 / MAX_WEIGHT:g} to {MAX_WEIGHT:g}."
            raise InvalidTenant(f"weights.{name}", "invalid_weight", reason)
        checked[name] = float(weight)
    return checked


def _vector(vector: NDArray[np.float64], width: int, field: str) -> NDArray[np.float64]:
    if np.shape(vector) != (width,):
        raise InvalidTenant(field, "wrong_shape", f"{np.shape(vector)} is not the shape ({width},).")
    if not (np.isfinite(vector) & (np.asarray(vector) >= 0.0)).all():
        raise InvalidTenant(field, "invalid_amount", "every amount is a finite number of at least 0.")
    return vector
