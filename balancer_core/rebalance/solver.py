"""Find a cheaper place for the loads: the front of the search in _kernels/reassign.pyx.

Assumptions: the problem fits memory (G x domains counts, H x G bits); costs are more than rounding, so that a
temperature means something.
Cost: the budget. When not to use it: for one load at a time (placement, placer), which is microseconds there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from balancer_core._kernels.reassign import Search
from balancer_core.errors import InvalidInput
from balancer_core.rebalance import schedule
from balancer_core.rebalance.columns import Columns
from balancer_core.rebalance.plan import Plan
from balancer_core.rebalance.problem import Problem
from balancer_core.rebalance.rules import breach
from balancer_core.rebalance.schedule import Stage, between

#: The share of the budget that is spent, from 0; at 1 or more the search ends. Asked every few milliseconds.
Budget = Callable[[], float]

#: Moves tried between two looks at the budget: 1 to 5 ms.
CHUNK: Final = 50_000

#: Hosts that stay short are pressed so many times a run, by this factor, up to that.
PRESSES, PRESS, MOST_PRESSED = 200, 1.3, 1e6


def chunks(count: int) -> Budget:
    """A budget of count x CHUNK tried moves, which needs no clock and always comes to the same result."""
    asked = 0

    def spent() -> float:
        nonlocal asked
        asked += 1
        return (asked - 1) / count if count > 0 else 1.0

    return spent


def rebalance(problem: Problem, budget: Budget, seed: int) -> Plan:
    """The cheapest allowed assignment that is found within the budget; at worst, that of now.

    Same problem, seed and answers of the budget: same plan. Errors: InvalidInput for a negative seed.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise InvalidInput("seed", "out_of_range", "it is a whole number from 0 to 2**64 - 1.")
    search = Search(Columns.of(problem), float(problem.group_weight), seed)
    if problem.loads and problem.hosts > 1:
        _anneal(search, problem, budget)
    plan = Plan.of(problem, search.best)
    broken = breach(problem, plan.assignment)
    if broken is not None or plan.after.total != int(search.best_total):
        raise RuntimeError(f"the kernel lost count: {broken}, {plan.after.total} is not {search.best_total}")
    return plan


def _anneal(search: Search, problem: Problem, budget: Budget) -> None:
    load_cost = max(1.0, float((problem.demand * problem.load_weight).sum(axis=1).mean()))
    way, begun, pressed = schedule.KEPT, 0, (0, 0)
    best, given_up = search.best_total, False
    tried, runs = 0, schedule.runs_within(0.0)
    while 0.0 <= (spent := budget()) < 1.0:
        if begun < len(schedule.TRIALS) and spent > 0.0:
            runs = schedule.runs_within(tried / spent / (problem.loads * problem.hosts))
        stage = Stage.at(spent, runs, problem.loads, problem.hosts)
        if stage.run > begun:
            pays = search.best_total < best and not given_up
            if stage.run <= len(schedule.TRIALS) or given_up:
                way = schedule.BENT if stage.run == 1 or pays else schedule.KEPT
            search.go_back()
            begun, best, given_up = stage.run, search.best_total, False
        if search.broken and stage.share >= way.over:
            search.go_back()
            given_up = True
        if search.short_hosts and stage.share >= schedule.CAPACITY_OVER:
            search.go_back()
        turn = (stage.run, int(stage.share * PRESSES))
        if stage.share >= schedule.PRESSED and turn > pressed:
            search.press(PRESS, MOST_PRESSED)
            pressed = turn
        search.anneal(
            load_cost * stage.temperature,
            stage.shortage,
            load_cost * between(way.first, way.last, stage.share),
            stage.doubled,
            stage.share >= schedule.CAPACITY_FIRM,
            stage.share >= way.firm,
            CHUNK,
        )
        tried += CHUNK
