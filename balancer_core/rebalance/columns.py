"""A problem laid out as the kernel wants it: padded rows of floats, needs by group in both directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.reassign import WIDTH
from balancer_core.rebalance.problem import Problem, Whole

Float = NDArray[np.float64]
Int = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """See _kernels/reassign.pyi."""

    capacity: Float
    safety: Float
    weights: Float
    scarcity: Float
    demand: Float
    lasting: Float
    domain: Int
    zone: Int
    group: Int
    current: Int
    spread: Int
    needs_from: Int
    needs: Int
    needed_from: Int
    needed_by: Int
    leave: Float
    route: Float
    doubled: Float
    balance_of: Int
    balance_against: Int
    balance_target: Float
    balance_weight: Float

    @classmethod
    def of(cls, problem: Problem) -> Columns:
        """Copies all of it. O(H (R + H) + L R + N log N)."""
        # What a group needs of itself is always there.
        pairs = np.unique(problem.needs[problem.needs[:, 0] != problem.needs[:, 1]], axis=0)
        needs_from, needs = _by_first(pairs, problem.groups)
        needed_from, needed_by = _by_first(pairs[:, ::-1], problem.groups)
        scarcity = _scarcity(problem)
        demand, lasting = _padded(problem.demand), _padded(problem.demand * (problem.transient == 0))
        return cls(
            capacity=_padded(problem.capacity),
            safety=_padded(problem.safety),
            weights=_padded(problem.load_weight),
            scarcity=scarcity,
            demand=demand,
            lasting=lasting,
            domain=_numbered(problem.domain),
            zone=_numbered(problem.zone),
            group=problem.group.astype(np.int32),
            current=problem.current.astype(np.int32),
            spread=np.minimum(problem.spread, problem.hosts).astype(np.int32),
            needs_from=needs_from,
            needs=needs,
            needed_from=needed_from,
            needed_by=needed_by,
            leave=(problem.move_weight * problem.move_cost).astype(np.float64),
            route=(problem.route_weight * problem.route_cost).astype(np.float64),
            doubled=(demand - lasting) @ scarcity,
            balance_of=np.array([each.of for each in problem.balances], dtype=np.int32),
            balance_against=np.array([each.against for each in problem.balances], dtype=np.int32),
            balance_target=np.array([each.target for each in problem.balances], dtype=np.float64),
            balance_weight=np.array([each.weight for each in problem.balances], dtype=np.float64),
        )


def _padded(rows: Whole) -> Float:
    width = -(-rows.shape[-1] // WIDTH) * WIDTH
    padded = np.zeros((*rows.shape[:-1], width))
    padded[..., : rows.shape[-1]] = rows
    return padded


def _scarcity(problem: Problem) -> Float:
    """What a unit above capacity counts: as above safety, but not nothing: a share of it weighs as in the mean
    resource."""
    there = problem.capacity.mean(axis=0)
    worth = float((there * problem.load_weight).mean()) or 1.0
    floor = worth / np.maximum(there, 1.0)
    scarcity = np.where(problem.load_weight > 0, problem.load_weight, floor)
    padded = np.zeros(-(-len(scarcity) // WIDTH) * WIDTH)
    padded[: len(scarcity)] = scarcity
    return padded


def _numbered(labels: Whole) -> Int:
    """The same labels as numbers from 0 without gaps."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)


def _by_first(pairs: Whole, rows: int) -> tuple[Int, Int]:
    """The second numbers, by rows of the first, and where each row begins."""
    starts = np.zeros(rows + 1, dtype=np.int32)
    starts[1:] = np.bincount(pairs[:, 0], minlength=rows).cumsum()
    return starts, pairs[np.argsort(pairs[:, 0], kind="stable"), 1].astype(np.int32)
