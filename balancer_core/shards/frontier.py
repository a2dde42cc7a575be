"""Which of several plans for one question are worth looking at: those that no other betters in bytes and evenness.

Idea: the Pareto frontier of two kinds of cost that nobody can add up for the operator. Cost: O(K^2 R) for K plans of R
resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from balancer_core.shards.planner import Plan

#: Of the fullest over the mean: less than this is no difference.
GRAIN: Final = 0.0005


def frontier(plans: Sequence[Plan]) -> list[int]:
    """The numbers of the plans that are worth it, the fewest bytes first; of equal ones the first."""

    def cost(number: int) -> tuple[float, int, float]:
        """Whatever betters a plan comes before it."""
        return plans[number].moved, len(plans[number].stay), sum(plans[number].after)

    kept: list[int] = []
    for number in sorted(range(len(plans)), key=cost):
        if not any(_as_even(plans[other], plans[number]) for other in kept):
            kept.append(number)
    return kept


def _as_even(one: Plan, other: Plan) -> bool:
    """Whether one is in no resource fuller than the other, by the grain, and leaves no more where it must not stay."""
    return len(one.stay) <= len(other.stay) and all(
        mine <= theirs + GRAIN for mine, theirs in zip(one.after, other.after, strict=True)
    )
