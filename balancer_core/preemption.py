"""Preemption proposals: what would have to leave so that a load fits. Proposed with its price; carrying it out
is the caller's.

For each host that every rule but room allows, the cheapest set of held loads with a lower priority whose
leaving makes room. Sets are compared by the highest priority that leaves, then by the sum of what leaving
costs, then by number; hosts by the same, then by the order in which they joined.
Assumptions: what leaves frees what it asked for, of what is reserved and, as far as that much is measured, of
what is used; a host that is fuller than its loads explain stays too full, and the load is then refused as
ever. Places in failure domains that leaving would free are not counted on: a proposal is about room.
Cost: for each host up to 2^EXACT sets, most of them never looked at; beyond EXACT held loads a greedy set,
and the proposal says that it is one.
When not to use it: between loads of one priority. That is rebalancing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.amounts import InvalidAmount
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.filters import FILTERS, fits
from balancer_core.load import InvalidLoad, Load
from balancer_core.question import Question
from balancer_core.resources import CAPACITY

#: Held loads of one host up to which every set is weighed (4,096 sets).
EXACT: Final = 12

#: Hosts beside the best that a proposal names.
ALTERNATIVES: Final = 4


@dataclass(frozen=True, slots=True)
class Held:
    """A load that is placed: on which host, what it asked for, its priority, and what its leaving costs
    (above 0)."""

    name: str
    host: str
    demand: Mapping[str, float]
    priority: int = 0
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Eviction:
    """What would have to leave one host. exact: no cheaper set does."""

    host: str
    leaving: tuple[str, ...]
    priority: int
    cost: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """best: the cheapest; None if nothing has to leave, or if no leaving would help, as the sentence says.

    needed: whether the load has no room without. alternatives: the next cheapest hosts.
    """

    load: str
    needed: bool
    best: Eviction | None
    alternatives: tuple[Eviction, ...]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        return asdict(self)


def propose_preemption(snapshot: Snapshot, load: Load, held: Sequence[Held], now: float) -> Proposal:
    """What would have to leave for this load.

    Errors: InvalidLoad for the load, or with field held.N for a held load of an unknown host or a wrong
    demand.
    """
    question = Question.put(snapshot, load, now)
    amounts = _amounts(snapshot, held)
    allowed = np.ones(len(snapshot), dtype=np.bool_)
    for name, rule in FILTERS.items():
        verdict = rule.judge(question) if name != fits.NAME else None
        if verdict is not None:
            allowed &= verdict == 0
    room = fits.judge(question)
    if room is None or (allowed & (room == 0)).any():
        return Proposal(load.name, False, None, (), f"{load.name} has room: nothing has to leave.")
    by_row: dict[int, list[int]] = {}
    for number, each in enumerate(held):
        row = snapshot.rows[each.host]
        if each.priority < load.priority and allowed[row]:
            by_row.setdefault(row, []).append(number)
    ranked = _ranked(question, by_row, held, amounts)
    if not ranked:
        lower = f"none of what has a lower priority than {load.priority} could make it."
        sentence = f"{load.name} has no room, and {lower}"
        return Proposal(load.name, True, None, (), sentence)
    best, leaving = ranked[0], ", ".join(ranked[0].leaving)
    sentence = (
        f"{load.name} would fit on {best.host} if {leaving} left, at a cost of {best.cost:g}; "
        f"the highest priority to leave is {best.priority}, below {load.priority}. Nothing has been moved."
    )
    return Proposal(load.name, True, best, tuple(ranked[1:]), sentence)


def after_leaving(snapshot: Snapshot, leaving: Sequence[Held]) -> Snapshot:
    """The cluster as it is assumed to be once these have left. Errors: as of propose_preemption()."""
    reserved, used = snapshot.reserved.copy(), snapshot.used.copy()
    for each, amounts in zip(leaving, _amounts(snapshot, leaving), strict=True):
        row = snapshot.rows[each.host]
        reserved[row] = np.maximum(reserved[row] - amounts, 0.0)
        used[row] = np.maximum(used[row] - amounts, 0.0)
    return replace(snapshot, reserved=reserved, used=used)


def _ranked(
    question: Question,
    by_row: Mapping[int, list[int]],
    held: Sequence[Held],
    amounts: Sequence[NDArray[np.float64]],
) -> list[Eviction]:
    """The cheapest set of each host, cheapest host first; hosts that cannot be among the best are not worked
    out."""
    able = [
        (max(held[number].priority for number in lower), row, lower)
        for row in sorted(by_row)
        if (lower := _lowest(question, row, by_row[row], held, amounts))
    ]
    found: list[Eviction] = []
    for priority, row, lower in sorted(able):
        if len(found) > ALTERNATIVES and priority > found[-1].priority:
            break
        found.append(_cheapest(question, row, lower, held, amounts))
    return sorted(found, key=_price)[: 1 + ALTERNATIVES]


def _price(eviction: Eviction) -> tuple[int, float, int]:
    return eviction.priority, eviction.cost, len(eviction.leaving)


def _amounts(snapshot: Snapshot, held: Sequence[Held]) -> list[NDArray[np.float64]]:
    amounts = []
    for number, each in enumerate(held):
        if each.host not in snapshot.rows:
            raise InvalidLoad(
                f"held.{number}.host", "unknown", f"there is no host called {each.host[:80]!r}."
            )
        if not 0 < each.cost < np.inf:
            raise InvalidLoad(f"held.{number}.cost", "out_of_range", f"{each.cost!r} is not a cost above 0.")
        try:
            amounts.append(snapshot.dimensions.vector(each.demand, f"held.{number}.demand"))
        except InvalidAmount as error:
            raise InvalidLoad(error.field, error.code, error.reason) from None
    return amounts


def _lowest(
    question: Question,
    row: int,
    numbers: list[int],
    held: Sequence[Held],
    amounts: Sequence[NDArray[np.float64]],
) -> list[int]:
    """Those up to the lowest priority at which their leaving makes room; none if all together do not."""
    for most in sorted({held[number].priority for number in numbers}):
        lower = [number for number in numbers if held[number].priority <= most]
        if _fits(question, row, lower, amounts):
            return lower
    return []


def _cheapest(
    question: Question,
    row: int,
    lower: list[int],
    held: Sequence[Held],
    amounts: Sequence[NDArray[np.float64]],
) -> Eviction:
    """The cheapest set on one host among those that together make room."""
    exact = len(lower) <= EXACT
    chosen = (
        _all_sets(question, row, lower, held, amounts)
        if exact
        else _greedy(question, row, lower, held, amounts)
    )
    leaving = sorted(chosen, key=lambda number: (held[number].priority, held[number].name))
    return Eviction(
        host=question.snapshot.names[row],
        leaving=tuple(held[number].name for number in leaving),
        priority=max(held[number].priority for number in leaving),
        cost=sum(held[number].cost for number in leaving),
        exact=exact,
    )


def _all_sets(
    question: Question,
    row: int,
    numbers: list[int],
    held: Sequence[Held],
    amounts: Sequence[NDArray[np.float64]],
) -> tuple[int, ...]:
    """Every set, the cheapest first, until one makes room."""
    sets = [each for size in range(1, len(numbers) + 1) for each in combinations(numbers, size)]
    sets.sort(key=lambda each: (sum(held[number].cost for number in each), len(each)))
    return next(each for each in sets if _fits(question, row, each, amounts))


def _greedy(
    question: Question,
    row: int,
    numbers: list[int],
    held: Sequence[Held],
    amounts: Sequence[NDArray[np.float64]],
) -> tuple[int, ...]:
    """All of them leave, then whoever can stays: the highest priority and the dearest first."""
    leaving = set(numbers)
    for number in sorted(numbers, key=lambda number: (-held[number].priority, -held[number].cost)):
        if _fits(question, row, leaving - {number}, amounts):
            leaving.discard(number)
    return tuple(leaving)


def _fits(
    question: Question, row: int, numbers: Sequence[int] | set[int], amounts: Sequence[NDArray[np.float64]]
) -> bool:
    """Whether the load has room on this host once these have left."""
    snapshot = question.snapshot
    freed = (
        np.sum([amounts[number] for number in numbers], axis=0) if numbers else np.zeros(len(question.demand))
    )
    reserved = np.maximum(snapshot.reserved[row] - freed, 0.0)
    used = np.maximum(snapshot.used[row] - freed, 0.0)
    holds = np.where(snapshot.dimensions.kinds == CAPACITY, np.maximum(reserved, used), reserved)
    asks = question.demand > 0.0
    return bool((holds + question.demand <= snapshot.capacity[row])[asks].all())
