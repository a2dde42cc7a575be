"""The cluster as it would be before anything moves: columns after the change, and which loads have to leave.

Assumptions
- What a load uses of its host is not measured by itself. It is taken for its share of what is reserved there: of
  cores in use, a load that holds half of the reserved cores is taken to use half, and never more than it holds. It
  moves with the load; what nobody placed (traffic of endpoints, the system) stays.
- Where loads are multiplied, what is measured and forecast is multiplied with them.
Cost: O(H R + P R) for H hosts, P loads, R resources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.columns import DRAINING
from balancer_core.cluster.labels import LabelColumns
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.constraints import HOST
from balancer_core.load import Load
from balancer_core.resources import CAPACITY
from balancer_core.whatif.change import Change

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Held:
    """A placement. key: the caller's name for it. load: what it asked, without counts of its groups; None where that
    is not known any more, and why_not says why."""

    key: str
    host: str
    kind: str
    name: str
    demand: Mapping[str, float]
    group: str = ""
    load: Load | None = None
    why_not: str = ""


@dataclass(slots=True)
class Scene:
    """base: the changed columns, with everything still in place. rows: int64[P], -1 for a load whose host is not in
    the snapshot. demand, uses: float64[P, R], after the multiplication. emptied: bool[H], hosts that would be empty.
    """

    held: Sequence[Held]
    base: Snapshot
    rows: NDArray[np.int64]
    demand: Matrix
    uses: Matrix
    emptied: NDArray[np.bool_]
    _placed: dict[str, Counter[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Snapshot, held: Sequence[Held], change: Change) -> Scene:
        """change: checked against the snapshot."""
        base = _changed(snapshot, change)
        known = snapshot.dimensions
        rows = np.array([snapshot.rows.get(each.host, -1) for each in held], dtype=np.int64)
        demand = np.zeros((len(held), len(known)))
        place = {name: column for column, name in enumerate(known.names)}
        for position, each in enumerate(held):
            for name, amount in each.demand.items():
                if name in place:
                    demand[position, place[name]] = amount
        demand *= change.times
        whole = [column for column, each in enumerate(known.resources) if each.whole]
        demand[:, whole] = np.ceil(demand[:, whole])
        uses = np.zeros_like(demand)
        there = rows >= 0
        reserved, used = base.reserved[rows[there]], base.used[rows[there]]
        share = np.divide(demand[there], reserved, out=np.zeros_like(reserved), where=reserved > 0.0)
        uses[there] = np.minimum(used * share, demand[there])
        emptied = np.zeros(len(base), dtype=bool)
        emptied[[base.rows[host] for host in (*change.drain, *change.remove)]] = True
        scene = cls(held, base, rows, demand, uses, emptied)
        for each, row in zip(held, rows.tolist(), strict=True):
            if each.group and row >= 0:
                scene._placed.setdefault(each.group, Counter())[row] += 1
        return scene

    def leaving(self, makes_room: bool) -> NDArray[np.bool_]:
        """bool[P]: those on hosts that would be empty; where it makes room also, of hosts that hold more than they
        have, the largest of what is too much, until it fits or nothing helps."""
        there = self.rows >= 0
        leave = there & self.emptied[np.maximum(self.rows, 0)] if len(self.base) else there
        if not makes_room:
            return leave
        over = (self._too_much(self.base.reserved, self.base.used) > 0.0).any(axis=1) & ~self.emptied
        order = np.argsort(self.rows, kind="stable")
        sorted_rows = self.rows[order]
        for row in np.flatnonzero(over).tolist():
            first, last = np.searchsorted(sorted_rows, [row, row + 1])
            leave[self._until_it_fits(row, order[first:last])] = True
        return leave

    def _until_it_fits(self, row: int, here: NDArray[np.int64]) -> list[int]:
        """Which of the loads here have to leave the host."""
        reserved, used = self.base.reserved[row].copy(), self.base.used[row].copy()
        capacity, gone = self.base.capacity[row], []
        while len(here):
            much = self._too_much(reserved, used, row)
            share = np.divide(much, capacity, out=np.maximum(much, 0.0), where=capacity > 0.0)
            worst = int(share.argmax())
            largest = int(here[int(self.demand[here, worst].argmax())])
            if much[worst] <= 0.0 or self.demand[largest, worst] <= 0.0:
                break
            gone.append(largest)
            reserved -= self.demand[largest]
            used -= self.uses[largest]
            here = here[here != largest]
        return gone

    def _too_much(self, reserved: Matrix, used: Matrix, row: int | slice = slice(None)) -> Matrix:
        """What is held beyond the capacity: rates by reservation, capacities by what is measured too."""
        kinds = self.base.dimensions.kinds == CAPACITY
        return np.where(kinds, np.maximum(reserved, used), reserved) - self.base.capacity[row]

    def without(self, lifted: NDArray[np.bool_]) -> Snapshot:
        """The base without these loads."""
        reserved, used = self.base.reserved.copy(), self.base.used.copy()
        gone = np.flatnonzero(lifted & (self.rows >= 0))
        np.subtract.at(reserved, self.rows[gone], self.demand[gone])
        np.subtract.at(used, self.rows[gone], self.uses[gone])
        for position in gone.tolist():
            if group := self.held[position].group:
                self._placed[group][int(self.rows[position])] -= 1
        # Sums of many amounts leave dust below zero.
        return replace(self.base, reserved=np.maximum(reserved, 0.0), used=np.maximum(used, 0.0))

    def asked(self, position: int, policy: str) -> Load | None:
        """The load as it would ask now: multiplied, by this policy if one is named, with the counts of what stays
        of its groups. Errors: InvalidLoad."""
        load = self.held[position].load
        if load is None:
            return None
        amounts = self.base.dimensions.mapping(self.demand[position])
        load = replace(load, demand={name: amounts[name] for name in load.demand if name in amounts})
        if policy and policy != load.policy:
            load = replace(load, policy=policy, options={})
        if load.spread or load.near or load.apart:
            load = replace(
                load,
                spread=tuple(
                    replace(each, taken=self._count(load.group, each.level)) if load.group else each
                    for each in load.spread
                ),
                near=tuple(replace(each, found=self._count(each.group, each.level)) for each in load.near),
                apart=tuple(replace(each, found=self._count(each.group, each.level)) for each in load.apart),
            )
        return load

    def _count(self, group: str, level: str) -> dict[str, int]:
        total: Counter[str] = Counter()
        for row, count in self._placed.get(group, {}).items():
            name = self.base.names[row] if level == HOST else self.base.labels.rows[row].get(level)
            if name is not None and count > 0:
                total[name] += count
        return dict(total)


def load_of(snapshot: Snapshot, reserved: Matrix, used: Matrix) -> Matrix:
    """float64[H]: the largest share of a resource that is reserved or used, 0 where nothing is declared."""
    busy = np.maximum(reserved, used)
    shares = np.divide(busy, snapshot.capacity, out=np.zeros_like(busy), where=snapshot.capacity > 0.0)
    most: Matrix = shares.max(axis=1, initial=0.0)
    return most


def _changed(snapshot: Snapshot, change: Change) -> Snapshot:
    more, resources = len(change.add), len(snapshot.dimensions)
    flags = np.concatenate([snapshot.flags, np.zeros(more, dtype=np.uint8)])
    for host in (*change.drain, *change.remove):
        flags[snapshot.rows[host]] |= DRAINING
    capacity = np.zeros((more, resources))
    for position, each in enumerate(change.add):
        capacity[position] = snapshot.dimensions.capacity_vector(each.capacity)
    names = (*snapshot.names, *(each.name for each in change.add))
    empty = np.zeros((more, resources))
    return replace(
        snapshot,
        names=names,
        rows=MappingProxyType({name: row for row, name in enumerate(names)}) if more else snapshot.rows,
        capacity=np.concatenate([snapshot.capacity, capacity]),
        reserved=np.concatenate([snapshot.reserved * change.times, empty]),
        used=np.concatenate([snapshot.used * change.times, empty]),
        expected=np.concatenate([snapshot.expected * np.float32(change.times), empty.astype(np.float32)]),
        reported_at=np.concatenate([snapshot.reported_at, np.full(more, -np.inf)]),
        flags=flags,
        labels=LabelColumns((*snapshot.labels.rows, *(dict(each.labels) for each in change.add)))
        if more
        else snapshot.labels,
    )
