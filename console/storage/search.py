"""The search for moves: the plan for an aim, and what other aims would come to, which who approves it sees beside it.

The others are searched briefly. Nothing is promised by that: the one that is chosen is searched for in full.
"""

from __future__ import annotations

import time
from typing import Final, TypedDict

from agents.pace import WIRE
from balancer_core.rebalance import chunks
from balancer_core.shards import CHUNK, Limits, Plan, frontier, plan
from console.storage.cluster import Seen, goal_of

SEED: Final = 1
#: Somebody waits for the proposal: so long at most, and no more than so many tries a replica.
SEARCH_S: Final = 2.0
TRIES: Final = 10_000
LEAST_LOOKS: Final = 10
#: The fullest host over the mean, from moving only what must to as even as can be; and what each is given of the time
#: and the tries.
AIMS: Final = (None, 1.5, 1.2, 1.1, 1.05, 1.02, 1.01)
BRIEFLY: Final = 0.15


class Point(TypedDict):
    """What an aim comes to. even: the aim, None for only what must leave. share: of all bytes. after: for each resource
    the fullest host over the mean. chosen: whether it is the plan itself."""

    even: float | None
    moves: int
    bytes: float
    share: float
    takes_s: float
    after: dict[str, float]
    chosen: bool


def find_plan(seen: Seen, even: float | None, limits: Limits, part: float = 1.0) -> Plan:
    """The moves for an aim (see goal_of). part: of the usual time and tries."""
    shards = seen.shards
    start, seconds = time.monotonic(), part * SEARCH_S
    looks = chunks(max(1, round(part * (LEAST_LOOKS + TRIES * len(shards.home) // CHUNK))))

    def spent() -> float:
        return max((time.monotonic() - start) / seconds, looks())

    return plan(shards, goal_of(seen, even), spent, SEED, limits)


def find_frontier(seen: Seen, even: float | None, made: Plan, limits: Limits) -> list[Point]:
    """The plan that was made for an aim, and those of other aims that are worth looking at beside it, the fewest bytes
    first. Empty where there is nothing to choose."""
    aims = [even, *(aim for aim in AIMS if aim != even)]
    plans = [made, *(find_plan(seen, aim, limits, BRIEFLY) for aim in aims[1:])]
    # The plan itself is shown whatever it comes to.
    kept = sorted({0, *frontier(plans)}, key=lambda number: plans[number].moved)
    total = float(seen.shards.sizes.sum())
    points = [
        Point(
            even=aims[number],
            moves=plans[number].moves,
            bytes=plans[number].moved,
            share=plans[number].moved / total if total else 0.0,
            takes_s=plans[number].schedule.takes_s * WIRE,
            after=dict(zip(seen.resources, plans[number].after, strict=True)),
            chosen=number == 0,
        )
        for number in kept
    ]
    return points if len(points) > 1 else []
