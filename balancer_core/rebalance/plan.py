"""What came out of rebalancing: where every load goes, what that costs and saves, and why, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from balancer_core._kernels.reassign import Search
from balancer_core.rebalance.columns import Columns
from balancer_core.rebalance.cost import Cost, cost_of
from balancer_core.rebalance.problem import Problem, Whole

_TERMS = {
    "load": "use above safety",
    "balance": "what is free in the wrong proportion",
    "moves": "loads that move",
    "routes": "the ways they take",
    "group": "the most loads moved of one group",
}


@dataclass(frozen=True, slots=True)
class Move:
    """A load that goes elsewhere. gain: what the plan would cost more if this load alone stayed where it is;
    below zero where it only makes room for others."""

    load: int
    source: int
    target: int
    gain: int


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """assignment[L]: the host of each load, read-only. Costs before and after; moves by falling gain."""

    assignment: Whole
    before: Cost
    after: Cost
    moves: tuple[Move, ...]
    sentence: str

    @classmethod
    def of(cls, problem: Problem, assignment: Whole) -> Plan:
        """The plan that ends in an allowed assignment. O(H (R + H) + L R + moves log moves)."""
        kept = np.array(assignment, dtype=np.int64)
        kept.setflags(write=False)
        before, after = cost_of(problem, problem.current), cost_of(problem, kept)
        moves = _moves(problem, kept)
        return cls(kept, before, after, moves, _say(problem, before, after, len(moves)))


def _moves(problem: Problem, assignment: Whole) -> tuple[Move, ...]:
    loads = [int(load) for load in np.flatnonzero(assignment != problem.current)]
    search = Search(Columns.of(problem), float(problem.group_weight), 0)
    search.place(assignment)
    moves = [
        Move(load, source, int(assignment[load]), int(search.change_by_shift(load, source)))
        for load in loads
        for source in [int(problem.current[load])]
    ]
    return tuple(sorted(moves, key=lambda move: (-move.gain, move.load)))


def _say(problem: Problem, before: Cost, after: Cost, moves: int) -> str:
    if not moves:
        return (
            f"All {problem.loads:,} loads stay: nothing cheaper was found than the {before.total:,} of now."
        )
    saved = before.total - after.total
    share = f" ({100.0 * saved / before.total:.1f} % less)" if before.total else ""
    changes = {name: getattr(after, name) - getattr(before, name) for name in _TERMS}
    most = min(changes, key=lambda name: changes[name])
    paid = sum(change for name, change in changes.items() if name in ("moves", "routes", "group"))
    return (
        f"{moves:,} of {problem.loads:,} loads move, and the cost goes from {before.total:,} to {after.total:,}"
        f"{share}. Most is saved on {_TERMS[most]} ({-changes[most]:,}); moving costs {paid:,}."
    )
