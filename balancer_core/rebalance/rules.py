"""Whether an assignment of loads to hosts is allowed, and the first rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from balancer_core.rebalance.problem import Problem, Whole


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule. code: over_capacity, same_host, too_few_domains or needs_unmet; reason: a sentence."""

    code: str
    reason: str


def breach(problem: Problem, assignment: Whole) -> Breach | None:
    """The first rule that the assignment breaks, None if it is allowed. O(H R + L R + L log L + N).

    assignment: int64[L], a host of the problem for each load.
    """
    for rule in (_capacity, _same_host, _spread, _needs):
        found = rule(problem, assignment)
        if found is not None:
            return found
    return None


def held(problem: Problem, assignment: Whole) -> Whole:
    """int64[H, R]: what is held on each host while the loads move there: used, and transient where they
    come from."""
    total = np.zeros_like(problem.capacity)
    np.add.at(total, assignment, problem.demand)
    moved = assignment != problem.current
    np.add.at(total, problem.current[moved], problem.demand[moved] * problem.transient)
    return total


def _capacity(problem: Problem, assignment: Whole) -> Breach | None:
    over = held(problem, assignment) > problem.capacity
    if not over.any():
        return None
    host, resource = (int(each) for each in np.argwhere(over)[0])
    return Breach("over_capacity", f"host {host} would hold more of resource {resource} than it has.")


def _same_host(problem: Problem, assignment: Whole) -> Breach | None:
    places = problem.group * problem.hosts + assignment
    ordered = np.sort(places)
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if not len(twice):
        return None
    group, host = divmod(int(ordered[twice[0]]), problem.hosts)
    return Breach("same_host", f"two loads of group {group} would be on host {host}.")


def _spread(problem: Problem, assignment: Whole) -> Breach | None:
    pairs = np.unique(problem.group * problem.hosts + problem.domain[assignment])
    domains = np.bincount(pairs // problem.hosts, minlength=problem.groups)
    short = np.flatnonzero(domains < problem.spread)
    if not len(short):
        return None
    group = int(short[0])
    return Breach(
        "too_few_domains",
        f"group {group} would be in {domains[group]} failure domains; at least {problem.spread[group]} are "
        "asked.",
    )


def _needs(problem: Problem, assignment: Whole) -> Breach | None:
    zones = int(problem.zone.max()) + 1
    present = np.zeros((problem.groups, zones), dtype=bool)
    present[problem.group, problem.zone[assignment]] = True
    for start in range(0, len(problem.needs), 4096):  # some rows at a time, so that memory stays small
        pairs = problem.needs[start : start + 4096]
        unmet = np.argwhere(present[pairs[:, 0]] & ~present[pairs[:, 1]])
        if len(unmet):
            pair, zone = (int(each) for each in unmet[0])
            group, needed = (int(each) for each in pairs[pair])
            return Breach(
                "needs_unmet",
                f"group {group} would be in zone {zone}, where {needed}, which it needs, is not.",
            )
    return None
