"""Random input, also such as validation keeps out, for kernels built with sanitizers. Run as a program."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np

from balancer_core._kernels import ELSEWHERE, MAX_TOP, Columns, Index, fill, improve, place_all, worth
from balancer_core._kernels.picker import Pool
from balancer_core._kernels.queues import POLICIES, Queues
from balancer_core._kernels.reassign import WIDTH, Search

EDGES = np.array([0.0, -0.0, 5e-324, 1e-9, 0.3, 1.0, 3.0, 1e18, 1.7e308, np.inf, -np.inf, np.nan, -1.0])


def columns(chance: np.random.Generator, hosts: int, width: int) -> list[np.ndarray]:
    """capacity, reserved, used, expected, reported_at and flags; some of the amounts are edges."""
    amounts = [np.where(chance.random((hosts, width)) < 0.2, chance.choice(EDGES, (hosts, width)), part)
               for part in chance.random((3, hosts, width)) * 8.0]  # fmt: skip
    times = chance.choice([-np.inf, 0.0, 950.0, 999.0, 2e3, np.nan], hosts)
    soon = chance.choice(EDGES, (hosts, width)).astype(np.float32)
    return [*amounts, soon, times, chance.choice([0, 0, 0, 1, 16], hosts).astype(np.uint8)]


def fuzz(seed: int) -> None:
    """One cluster, changed and asked in every way the kernels offer."""
    chance = np.random.default_rng(seed)
    hosts, width = int(chance.choice([1, 2, 15, 16, 17, 255, 257, 600])), int(chance.integers(1, 33))
    held = columns(chance, hosts, width)
    kinds, weights = chance.integers(0, 2, width).astype(np.uint8), chance.choice(EDGES, width)
    index = Index(*held, kinds, 15)
    flag_codes = chance.integers(0, 9, 256).astype(np.uint8)
    admissible = chance.integers(0, 2, hosts).astype(np.uint8)
    for step in range(8):
        mode, now = int(chance.integers(0, 3)), float(chance.choice([0.0, 960.0, 1000.0, 1003.0, 1e308]))
        places = int(chance.integers(1, MAX_TOP + 1))
        demand = np.where(chance.random(width) < 0.1, chance.choice(EDGES, width), chance.random(width))
        rows, totals = np.empty(places, dtype=np.int64), np.empty(places)
        refused = chance.choice([0, 0, 40, ELSEWHERE], hosts).astype(np.uint8)
        notes = (np.empty(hosts, dtype=np.uint8), np.zeros(256, dtype=np.int64))
        columns_ = Columns(*held, kinds)
        columns_.scan(refused, flag_codes, 56, demand, weights, mode, now, *notes, rows, totals)
        columns_.terms(np.arange(hosts), demand, weights, mode, now, np.empty((hosts, width, 4)))
        index.find(demand, weights, mode, now, admissible if step % 2 else None, rows, totals)
        many = np.repeat(chance.random((3, width)), chance.integers(1, 300, 3), axis=0)
        index.place(many, weights, mode, now, np.empty(len(many), dtype=np.int64), np.empty(len(many)))
        for column, fresh in zip(held, columns(chance, hosts, width), strict=True):
            column[: hosts // 2] = fresh[: hosts // 2]
        index.changed(np.repeat(np.arange(hosts // 2), int(chance.integers(0, 40))))
    shapes = int(chance.integers(0, 9))
    free, devices = chance.integers(-9, 99, (hosts, width)), chance.integers(-9, 1001, (hosts, 4))
    amounts, counts = chance.integers(-3, 9, (shapes, width)), chance.integers(-2, 9, shapes)
    parts, allowed = chance.integers(1, 1001, shapes), chance.integers(0, 2**63, shapes, dtype=np.uint64)
    device_kinds, weighed = chance.integers(0, 64, hosts), chance.random(shapes)
    worth(free, devices, device_kinds, amounts, counts, parts, allowed, weighed, 1000, 99, np.empty(hosts))
    pack(chance, hosts % 40, width, int(chance.integers(0, 60)))


def pack(chance: np.random.Generator, hosts: int, width: int, loads: int) -> None:
    """Loads on hosts by every rule and the search, from a packing that need not fit; some prices are edges."""
    free, sizes = chance.integers(-2, 40, (hosts, width)), chance.integers(-2, 20, (loads, width))
    weights, prices = (
        chance.choice(EDGES, width),
        np.where(chance.random(loads) < 0.1, chance.choice(EDGES, loads), 1.0),
    )
    rows = np.full(loads, -1, dtype=np.int64)
    fill(free, sizes, weights, bool(chance.integers(0, 2)), np.empty_like(free), rows.copy(), rows)
    rows[chance.random(loads) < 0.3] = int(chance.integers(-1, max(hosts, 0)))
    improve(free, sizes, prices, 1, 300, 90, 20, 0.01, int(chance.integers(0, 2**32)), rows)
    order = chance.permutation(loads)[: int(chance.integers(0, loads + 1))]
    place_all(
        sizes, order, weights, int(chance.integers(0, 4)), free.copy(), np.empty(hosts, dtype=np.int64), rows
    )


def fuzz_queues(seed: int) -> None:
    """Requests under every policy, where seconds, work, speeds and weights may be edges."""
    chance = np.random.default_rng(seed)
    hosts, count, pickers = (
        int(chance.integers(1, 9)),
        int(chance.integers(0, 300)),
        int(chance.integers(1, 4)),
    )
    for policy in POLICIES:
        at_s, work = (
            np.where(chance.random(count) < 0.05, chance.choice(EDGES, count), part)
            for part in (np.sort(chance.random(count) * 9.0), chance.random(count))
        )
        queues = Queues(
            at_s, work, chance.integers(0, pickers, count), chance.choice(EDGES, hosts), policy=policy, seed=seed,
            pickers=pickers, shared=seed % 2 == 0, most_speed=float(chance.choice(EDGES)),
            way_s=float(chance.choice([0.0, 0.1])), choices=int(chance.integers(0, 4)),
            scale=float(chance.choice(EDGES)),
        )  # fmt: skip
        for until_s in (1.0, 3.0, np.nan, np.inf):
            for array in (queues.speed, queues.weight, queues.fails, queues.others):
                array[...] = chance.choice(EDGES, array.shape)
            queues.weight[0] = 1.0
            queues.advance(until_s)


def fuzz_reassigning(seed: int) -> None:
    """A search whose amounts are edges and whose loads break rules where they are."""
    chance = np.random.default_rng(seed)
    hosts, loads, groups = (
        int(chance.integers(1, 9)),
        int(chance.integers(0, 40)),
        int(chance.integers(1, 70)),
    )
    needs, width, balances = int(chance.integers(0, 50)), WIDTH * int(chance.integers(1, 4)), int(seed % 2)
    edges = seed % 3 == 0

    def amounts(*shape: int) -> np.ndarray:
        return chance.choice(EDGES, shape) if edges else chance.integers(0, 30, shape).astype(np.float64)

    def rows(limit: int, count: int) -> np.ndarray:
        return chance.integers(0, limit, count).astype(np.int32)

    starts = np.append(np.sort(rows(needs + 1, groups)), needs).astype(np.int32)
    columns = SimpleNamespace(
        capacity=amounts(hosts, width) * 9, safety=amounts(hosts, width), weights=amounts(width),
        scarcity=amounts(width), demand=amounts(loads, width), lasting=amounts(loads, width),
        domain=rows(hosts, hosts), zone=rows(hosts, hosts), group=rows(groups, loads), current=rows(hosts, loads),
        spread=rows(5, groups), needs_from=starts, needs=rows(groups, needs), needed_from=starts,
        needed_by=rows(groups, needs), leave=amounts(loads), route=amounts(hosts, hosts), doubled=amounts(loads),
        balance_of=rows(width, balances), balance_against=rows(width, balances), balance_target=amounts(balances),
        balance_weight=amounts(balances),
    )  # fmt: skip
    search = Search(columns, float(chance.choice(EDGES)), seed)
    for temperature in (1e308, 10.0, 0.0):
        search.anneal(
            temperature, 1.0, float(chance.choice([0.0, 1e300])), 1.0, seed % 2 == 0, seed % 5 == 0, 2000
        )
        search.press(2.0, 8.0)
        search.place(search.assignment)
    search.go_back()


def fuzz_picking(seed: int) -> None:
    """A pool of any size and options; times, loads and counters that make no sense."""
    chance = np.random.default_rng(seed)
    count = int(chance.choice([0, 1, 2, 63, 64, 65, 200, 1000]))
    pool = Pool(
        chance.choice([1e-100, 1e-9, 1.0, 3.0, 1e100], count),
        near=int(chance.integers(0, count + 1)), pickers=float(chance.choice([1.0, 4.0, 1e308])),
        slow_start_s=float(chance.choice([0.0, 5e-324, 1e308])), spill=float(chance.choice([1.0, np.inf])), seed=seed,
    )  # fmt: skip
    for _ in range(30):
        now = float(chance.choice(EDGES))
        in_flight = chance.choice([-(2**63), -1, 0, 1, 2**63 - 1], count)
        outcomes = chance.choice(np.array([0, 1, 2**64 - 1], dtype=np.uint64), (2, count))
        tried = chance.integers(0, 2, count).astype(np.uint8) if seed % 2 else None
        row = pool.pick(in_flight, now, outcomes[0], outcomes[1], tried)
        assert -1 <= row < count, row
        if row >= 0:
            pool.join(
                row, float(chance.choice([1e-100, 7.0])), float(chance.choice(EDGES)), now, 2**64 - 1, 0
            )


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        with np.errstate(all="ignore"):  # edges overflow before the kernels see them
            fuzz(number)
            fuzz_reassigning(number)
            fuzz_queues(number)
            fuzz_picking(number)
    print("all went well")
