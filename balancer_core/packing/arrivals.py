"""Place loads one at a time, each once and for good: as they come, or in an order of our own.

place_each knows nothing of the loads that follow; a new host is begun only when no host in use has room.
best_order knows all loads, but only chooses the order in which place_each then takes them, by first fit.
It needs nothing else: if loads that share a host come right after each other, first fit among equal hosts
needs no more hosts than before, in whatever order the hosts' turns come, and now and then fewer (Culberson &
Luo, Exploring the k-colorable landscape with iterated greedy, 1996: colours in place of hosts).

Assumptions: loads differ by their amounts alone, and stay.
When not to use it: where all loads are known, pack() finds fewer hosts still; with labels, devices or live
measurements, placement and Packer.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from balancer_core._kernels import place_all
from balancer_core.packing.bins import (
    InvalidPacking,
    Packing,
    Real,
    Whole,
    answer,
    checked,
    hosts_used,
    largest,
    placeable,
)
from balancer_core.packing.bound import least_hosts
from balancer_core.randomness import Random

#: Which of the hosts in use takes a load: the first with room; the one with the least left afterwards (squared
#: shares); the one of whose free room the least part is left, which also matches shapes.
RULES: Final = {"first_fit": 0, "best_fit": 1, "least_part": 2}

#: Orders that are tried, if not told otherwise.
ROUNDS: Final = 400

#: How far "nearly fullest first" may stray, as a part of the fullest host.
NEARLY: Final = 0.3


def place_each(free: Whole, sizes: Whole, order: Whole | None = None, rule: str = "least_part") -> Packing:
    """Place the loads one after the other, each for good before the next is looked at.

    free, sizes: as in pack(). order: int64[N], the loads' numbers, each once; as they are listed if None.
    Cost: O(N H R), H the hosts in use. Errors: InvalidPacking.
    """
    room, asked = checked(free, sizes)
    if rule not in RULES:
        raise InvalidPacking("rule", "unknown", f"{rule!r} is none of {', '.join(RULES)}.")
    turns = np.arange(len(asked)) if order is None else np.asarray(order)
    if turns.shape != (len(asked),) or not np.array_equal(np.sort(turns), np.arange(len(asked))):
        raise InvalidPacking("order", "not_an_order", "must name every load once.")
    rows = _placed(room, asked, turns.astype(np.int64), RULES[rule])
    return answer(rows, least_hosts(room, asked[placeable(room, asked)]))


def best_order(free: Whole, sizes: Whole, rng: Random, rounds: int = ROUNDS) -> Whole:
    """int64[N]: the order found in which first fit places most loads, and then needs the fewest hosts.

    It begins with the best of three orders by size: sum, squared length or largest of the shares. In each
    round the loads of a host come together, largest first; the hosts' turns come fullest first, backwards,
    shuffled, or nearly fullest first. Among unequal hosts a round that is worse is forgotten.
    Same rng, same answer. Cost: O(N H R) a round; it stops early at the bound. Errors: InvalidPacking.
    """
    room, asked = checked(free, sizes)
    if rounds < 0:
        raise InvalidPacking("rounds", "negative", f"{rounds} rounds; 0 is none.")
    bound = least_hosts(room, asked[placeable(room, asked)])
    shares = asked / largest(room)
    size = shares.sum(axis=1)
    keys = (size, (shares**2).sum(axis=1), shares.max(axis=1))
    by_size = [np.argsort(-key, kind="stable").astype(np.int64) for key in keys]
    found = [(order, _placed(room, asked, order, RULES["first_fit"])) for order in by_size]
    order, rows = min(found, key=lambda each: _left_out_and_used(each[1]))
    for number in range(rounds):
        left_out, used = _left_out_and_used(rows)
        if not left_out and used <= bound:
            break
        turn = _turns(rows, size, number, rng)
        candidate = np.lexsort((-size, rows, turn[rows])).astype(np.int64)
        placed = _placed(room, asked, candidate, RULES["first_fit"])
        if _left_out_and_used(placed) <= (left_out, used):
            order, rows = candidate, placed
    return order


def _turns(rows: Whole, size: Real, number: int, rng: Random) -> Real:
    """float64[H + 1]: when each host's loads have their turn, low first; the last is for those without a host."""
    hosts = int(rows.max(initial=-1)) + 1
    held = np.bincount(rows + 1, weights=size, minlength=hosts + 1)[1:].astype(np.float64)
    kind = number % 4
    turns: Real
    if kind == 1:
        turns = -np.arange(hosts, dtype=np.float64)
    elif kind == 0:
        turns = -held
    else:
        turns = np.array([rng.random() for _ in range(hosts)])
        if kind == 3:
            turns = turns * NEARLY * held.max(initial=0.0) - held
    # Who found no room, at row -1, is looked at first.
    return np.append(turns, -np.inf)


def _left_out_and_used(rows: Whole) -> tuple[int, int]:
    return int((rows < 0).sum()), hosts_used(rows)


def _placed(free: Whole, sizes: Whole, order: Whole, rule: int) -> Whole:
    rows = np.full(len(sizes), -1, dtype=np.int64)
    weights = 1.0 / largest(free) ** 2
    place_all(sizes, order, weights, rule, free.copy(), np.empty(len(free), dtype=np.int64), rows)
    return rows
