"""Pack many loads at once onto as few hosts as possible.

First host after host is filled with what matches its free room best, six ways (dot product or distance of
what is asked and what is left, resources weighed by how scarce they are), and the best of them is kept.
Then a search empties the host in use that holds least: its loads go to a pool, and one after the other goes
where it fits, or where the loads that must leave for it have the least price. A load's price is its size,
and rises each time it found no room, so that stubborn loads settle first. Between steps random swaps of two
loads gather free room on fewer hosts.

Ideas: Panigrahy et al., Heuristics for vector bin packing, 2011 (host by host, dot product, L2); Nagata &
Braysy, A powerful route minimization heuristic for the vehicle routing problem with time windows, 2009
(ejection by guided prices); Buljubasic & Vasquez, Consistent neighborhood search for one-dimensional bin
packing and two-dimensional vector packing, 2016 (a partial packing with fewer bins as the state).
Assumptions: all loads are known, none is placed yet, loads differ by their amounts alone.
Cost: the start O(N^2 R), 2 ms for 500 loads; the search some 10 us a step at 500 loads, growing with N.
When not to use it: for loads that come one by one, under constraints beyond room, or for loads that run
already: this is no rebalancing, a moved load costs nothing here.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from balancer_core._kernels import fill, improve
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
from balancer_core.randomness import Random, below

#: Steps of the search a load, if not told otherwise,
STEPS_PER_LOAD: Final = 200

#: but no more than this when each counts as many as there are loads to look through: about a second.
MOST_WORK: Final = 2**26

#: Swaps tried in a step. Measured: more is better a step, and worse a second.
SWAPS: Final = 256

#: What a swap may lose, in squared shares of a host: measured, flat from 0.00003 to 0.0003.
HEAT: Final = 0.0002

#: Attempts at different hosts where hosts are unequal; among equal ones it doesn't matter which is emptied.
ATTEMPTS: Final = 8

#: A load that asks for nothing still has a price.
LEAST_PRICE: Final = 1e-6


def pack(free: Whole, sizes: Whole, rng: Random, steps: int | None = None) -> Packing:
    """Place as many loads as found possible, and if it is all, on as few hosts as found.

    free: whole units [H, R] of each resource that each host has; a host in use by others has less. Hosts are
    filled in this order: put those that should be used first in front. For as many equal hosts as may be
    needed, give N rows. sizes: whole units [N, R] that the loads ask for.
    steps: the most that the search may take, usual_steps(N) if None; 0 is the start alone. Same rng, same answer.
    It stops early where hosts used equals the bound. A load too large for every host is left out (-1), and
    doesn't keep the others from being packed. Never worse than the start: placed loads, then hosts.
    Errors: InvalidPacking, before anything is computed.
    """
    room, asked = checked(free, sizes)
    most = usual_steps(len(asked)) if steps is None else steps
    if most < 0:
        raise InvalidPacking("steps", "negative", f"{most} steps; 0 is none.")
    fitting = placeable(room, asked)
    bound = least_hosts(room, asked[fitting])
    rows = start(room, asked)
    shares = asked / largest(room)
    equal = bool((room == room[:1]).all())
    used = improve(
        room,
        asked,
        shares.sum(axis=1) + LEAST_PRICE,
        bound,
        most,
        max(1, most if equal else most // ATTEMPTS),
        SWAPS,
        HEAT * asked.shape[1] ** 2,
        below(rng, 2**32),
        rows,
    )
    return answer(rows, bound, used)


def usual_steps(loads: int) -> int:
    """200 a load, and fewer from some 600 loads on, so that a batch of any size is searched for about as long."""
    return min(STEPS_PER_LOAD * loads, MOST_WORK // max(loads, 1))


def start(free: Whole, sizes: Whole) -> Whole:
    """int64[N]: the rows of the best of six ways to fill host after host: most loads placed, then fewest hosts.

    Shapes as in pack(), and checked. Ties: the first way. Cost: O(N^2 R).
    """
    unit = largest(free)
    scarcity = sizes.sum(axis=0) / np.maximum(free.sum(axis=0, dtype=np.float64), 1.0)
    ways = [(by_distance, power) for by_distance in (False, True) for power in (2, 1, 0)]
    found = [_filled(free, sizes, scarcity**power / unit**2, by_distance) for by_distance, power in ways]
    return min(found, key=lambda rows: (int((rows < 0).sum()), hosts_used(rows)))


def _filled(free: Whole, sizes: Whole, weights: Real, by_distance: bool) -> Whole:
    rows = np.empty(len(sizes), dtype=np.int64)
    fill(free, sizes, weights, by_distance, np.empty_like(free), np.empty_like(rows), rows)
    return rows
