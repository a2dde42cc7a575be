"""From where replicas are to where they should be: the fewest bytes moved that reach the goal, in a legal order.

Theory of operation
- What can't stay (drained, lost) is given the cheapest places first, the largest first. The rest of the budget
  anneals single moves and exchanges: a byte above a goal is dear, a byte moved is cheap, so bytes move where
  they are too many, and return home where they need not have left.
- The search starts where things are and starts cool: the optimum is near, and a hot start would move all.
- Nothing is hidden: the plan says what each resource comes to, and what could not be moved, and why.
Idea: simulated annealing (Kirkpatrick et al., Science 1983) on an exact penalty. Cost: the budget, and
O(N R) before and after. When not to use it: to place one new shard; that is a placement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from balancer_core._kernels.shards import Search
from balancer_core.rebalance.schedule import between
from balancer_core.rebalance.solver import Budget
from balancer_core.shards.columns import Columns
from balancer_core.shards.goal import Goal, peak
from balancer_core.shards.order import Limits, Schedule, in_order
from balancer_core.shards.problem import InvalidShards, Numbers, Shards

#: Temperatures from and to, in the price of moving a usual replica: hotter, and replicas move that need not.
HOT: Final = 0.25
COLD: Final = 0.0025

#: Tries between two looks at the budget: some 10 ms.
CHUNK: Final = 50_000

__all__ = ["CHUNK", "Plan", "plan", "retrace"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """at[N]: where each replica ends. before, after: for each resource the fullest over the mean.

    schedule: the moves in the order in which they may be made, with times. stay: replicas that must leave
    where they are and have no place to go; each needs a host more, or a wider rule.
    """

    at: Numbers
    before: tuple[float, ...]
    after: tuple[float, ...]
    schedule: Schedule
    stay: tuple[int, ...]
    moved: float
    sentence: str

    @property
    def moves(self) -> int:
        return len(self.schedule.steps)


def plan(shards: Shards, goal: Goal, budget: Budget, seed: int, limits: Limits) -> Plan:
    """The plan that is found within the budget; at worst only what must leave moves.

    Same arguments and answers of the budget: same plan. Errors: InvalidShards for a goal that does not go with
    the shards.
    """
    if len(goal.peaks) != len(shards.resources):
        raise InvalidShards("peaks", "wrong_length", f"one for each of {len(shards.resources)} resources.")
    search = Search(Columns.of(shards, goal), seed)
    leaving = np.flatnonzero(shards.leave)
    search.rehome(leaving[np.argsort(-shards.sizes[leaving], kind="stable")].astype(np.int32))
    usual = goal.price / max(len(shards.home), 1)
    searched = search.excess > 0.0
    # Once the goal is met it still cools down: then what need not have moved returns home.
    while searched and 0.0 <= (spent := budget()) < 1.0:
        search.anneal(usual * between(HOT, COLD, spent), CHUNK)
    return _planned(shards, search.assignment, limits)


def retrace(shards: Shards, wanted: Numbers, limits: Limits) -> Plan:
    """The plan that leads to an assignment, place by replica, as far as it is legal: as one that takes an earlier plan
    back. What would go to a place that takes nothing stays where it is.

    Errors: InvalidShards for an assignment of another shape.
    """
    if wanted.shape != shards.home.shape or (
        len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(shards.host)
    ):
        raise InvalidShards("wanted", "wrong_shape", "a place for each replica.")
    closed = (wanted != shards.home) & ~shards.accepts[wanted]
    made = _planned(shards, np.where(closed, shards.home, wanted).astype(np.int32), limits)
    if closed.any():
        more = f" {int(closed.sum()):,} stay, since where they would go takes nothing now."
        made = replace(made, sentence=made.sentence + more)
    return made


def _planned(shards: Shards, wanted: Numbers, limits: Limits) -> Plan:
    leaving = np.flatnonzero(shards.leave)
    schedule = in_order(shards, wanted, limits)
    at = np.array(shards.home)
    for step in schedule.steps:
        at[step.replica] = step.target
    at.setflags(write=False)
    stay = tuple(int(replica) for replica in leaving if at[replica] == shards.home[replica])
    here = ~shards.lost[shards.home]
    before = tuple(peak(shards, number, shards.home, here) for number in range(len(shards.resources)))
    settled = here | (at != shards.home)
    after = tuple(peak(shards, number, at, settled) for number in range(len(shards.resources)))
    moved = float(shards.sizes[at != shards.home].sum())
    return Plan(at, before, after, schedule, stay, moved, _say(shards, before, after, schedule, stay, moved))


def _say(
    shards: Shards, before: tuple[float, ...], after: tuple[float, ...], schedule: Schedule,
    stay: tuple[int, ...], moved: float,
) -> str:  # fmt: skip
    count = len(schedule.steps)
    total = float(shards.sizes.sum())
    parts = []
    if count:
        share = 100.0 * moved / total if total else 0.0
        parts.append(f"{count:,} of {len(shards.home):,} replicas move, {share:.1f} % of all bytes.")
        parts += [
            f"The fullest host's {resource.name} goes from {was:.2f} to {will:.2f} times the mean."
            for resource, was, will in zip(shards.resources, before, after, strict=True)
            if abs(was - will) >= 0.005
        ]
    elif not stay:
        parts.append("Nothing moves: what moving would gain is less than what is asked for.")
    if stay:
        parts.append(f"{len(stay):,} replicas must leave and have no place that their rules allow.")
    return " ".join(parts)
