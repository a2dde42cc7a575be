"""Shards: where the replicas that there are should be, and the moves that lead there, every step of them legal."""

from __future__ import annotations

from balancer_core.shards.frontier import frontier
from balancer_core.shards.goal import Goal, mean, peak
from balancer_core.shards.order import NO_DOMAIN, NO_ROOM, Limits, Schedule, Step
from balancer_core.shards.planner import CHUNK, Plan, plan, retrace
from balancer_core.shards.problem import InvalidShards, Numbers, Resource, Shards, numbered
from balancer_core.shards.room import holdable

__all__ = [
    "CHUNK",
    "NO_DOMAIN",
    "NO_ROOM",
    "Goal",
    "InvalidShards",
    "Limits",
    "Numbers",
    "Plan",
    "Resource",
    "Schedule",
    "Shards",
    "Step",
    "frontier",
    "holdable",
    "mean",
    "numbered",
    "peak",
    "plan",
    "retrace",
]
