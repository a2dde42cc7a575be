"""Small random problems of rebalancing, and a reference that says rule by rule what an assignment comes to."""

from __future__ import annotations

from typing import Any

import numpy as np

from balancer_core.rebalance import Balance, Problem


def draw_fields(seed: int, hosts: int, loads: int) -> dict[str, Any]:
    """The fields of a problem whose loads break no rule where they are, with all kinds of rules and costs."""
    chance = np.random.default_rng(seed)
    resources, groups = int(chance.integers(1, 6)), max(1, int(loads * 0.6))
    zone, domain = chance.integers(0, min(hosts, 3), hosts), chance.integers(0, min(hosts, 4), hosts)
    group, current, taken = [], [], set()
    for _ in range(loads):
        pair = int(chance.integers(0, groups)), int(chance.integers(0, hosts))
        if pair not in taken:
            taken.add(pair)
            group.append(pair[0])
            current.append(pair[1])
    demand = chance.integers(0, 12, (len(group), resources))
    used = np.zeros((hosts, resources), dtype=np.int64)
    np.add.at(used, current, demand)
    capacity = used + chance.integers(0, 15, used.shape)
    domains = [{int(domain[h]) for g, h in taken if g == number} for number in range(groups)]
    zones = [{int(zone[h]) for g, h in taken if g == number} for number in range(groups)]
    needs = [
        (a, b) for a in range(groups) for b in range(groups) if zones[a] <= zones[b] and chance.random() < 0.3
    ]
    routes = chance.integers(0, 4, (hosts, hosts))
    np.fill_diagonal(routes, 0)
    return {
        "capacity": capacity,
        "safety": (capacity * chance.random(capacity.shape)).astype(np.int64),
        "load_weight": chance.integers(0, 9, resources),
        "transient": chance.integers(0, 2, resources),
        "domain": domain,
        "zone": zone,
        "demand": demand,
        "group": np.array(group, dtype=np.int64),
        "current": np.array(current, dtype=np.int64),
        "spread": np.array([int(chance.integers(0, len(each) + 1)) for each in domains]),
        "needs": np.array(needs, dtype=np.int64).reshape(-1, 2),
        "move_cost": chance.integers(0, 5, len(group)),
        "route_cost": routes,
        "balances": (Balance(0, resources - 1, 2, 3),) if seed % 2 else (),
        "move_weight": int(chance.integers(0, 3)),
        "route_weight": int(chance.integers(0, 3)),
        "group_weight": int(chance.integers(0, 9)),
    }


def draw(seed: int, hosts: int, loads: int) -> Problem:
    """The problem of these fields."""
    return Problem(**draw_fields(seed, hosts, loads))


def reference_cost(problem: Problem, at: list[int]) -> int:
    """The total, written as the model's definition reads."""
    total, moved = 0, [0] * problem.groups
    for host in range(problem.hosts):
        here = [load for load in range(problem.loads) if at[load] == host]
        used = [sum(int(problem.demand[load, r]) for load in here) for r in range(problem.demand.shape[1])]
        for r, amount in enumerate(used):
            total += int(problem.load_weight[r]) * max(0, amount - int(problem.safety[host, r]))
        for each in problem.balances:
            free = [int(problem.capacity[host, r]) - used[r] for r in (each.of, each.against)]
            total += each.weight * max(0, each.target * free[0] - free[1])
    for load in range(problem.loads):
        source = int(problem.current[load])
        if at[load] != source:
            total += problem.move_weight * int(problem.move_cost[load])
            total += problem.route_weight * int(problem.route_cost[source, at[load]])
            moved[problem.group[load]] += 1
    return total + problem.group_weight * max(moved)


def reference_breaches(problem: Problem, at: list[int]) -> dict[str, int]:
    """How often each rule is broken: hosts short, hosts shared within a group, domains missing, needs unmet."""
    count = {"short": 0, "shared": 0, "missing": 0, "unmet": 0}
    for host in range(problem.hosts):
        held = np.zeros(problem.demand.shape[1], dtype=np.int64)
        for load in range(problem.loads):
            if at[load] == host:
                held += problem.demand[load]
            elif problem.current[load] == host:
                held += problem.demand[load] * problem.transient
        count["short"] += bool((held > problem.capacity[host]).any())
    places = [
        [at[load] for load in range(problem.loads) if problem.group[load] == g] for g in range(problem.groups)
    ]
    zones = [{int(problem.zone[host]) for host in each} for each in places]
    for group, each in enumerate(places):
        count["shared"] += len(each) - len(set(each))
        domains = {int(problem.domain[host]) for host in each}
        count["missing"] += max(0, int(problem.spread[group]) - len(domains))
    for group, needed in {tuple(pair) for pair in problem.needs.tolist()}:
        count["unmet"] += len(zones[group] - zones[needed])
    return count
