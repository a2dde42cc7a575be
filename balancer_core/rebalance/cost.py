"""What an assignment costs, term by term. The meaning that the kernel's sums must come to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from balancer_core.rebalance.problem import Problem, Whole


@dataclass(frozen=True, slots=True)
class Cost:
    """The terms, weighted.

    load: use above safety. balance: free amounts out of proportion. moves: of the loads that moved.
    routes: of the ways they took. group: the most loads moved of one group.
    """

    load: int
    balance: int
    moves: int
    routes: int
    group: int

    @property
    def total(self) -> int:
        """The sum of all terms."""
        return self.load + self.balance + self.moves + self.routes + self.group


def cost_of(problem: Problem, assignment: Whole) -> Cost:
    """The cost of an assignment, allowed or not. assignment: int64[L]. O(H R + L R)."""
    used = np.zeros_like(problem.capacity)
    np.add.at(used, assignment, problem.demand)
    free = problem.capacity - used
    balance = 0
    for each in problem.balances:
        out = np.maximum(each.target * free[:, each.of] - free[:, each.against], 0)
        balance += each.weight * int(out.sum())
    moved = assignment != problem.current
    counts = np.bincount(problem.group[moved], minlength=1)
    return Cost(
        load=int((np.maximum(used - problem.safety, 0) @ problem.load_weight).sum()),
        balance=balance,
        moves=problem.move_weight * int(problem.move_cost[moved].sum()),
        routes=problem.route_weight * int(problem.route_cost[problem.current, assignment].sum()),
        group=problem.group_weight * int(counts.max()),
    )
