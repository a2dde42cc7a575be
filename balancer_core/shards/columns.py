"""Shards and a goal as the columns that the search's kernel works on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balancer_core.shards.goal import Goal, counted, mean
from balancer_core.shards.problem import Amounts, Numbers, Shards


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Nodes of all resources are numbered through, one resource after the other.

    node[P, R]; first_place[nodes + 1], place_of: the places of each node.
    scale: 1 / (capacity x mean utilisation), so that load x scale is 1 at the mean. weight: the node's share of
    its resource's capacity, 0 where nobody minds. goal: in the same units. ceiling: in amounts.
    start[G + 1], member: the replicas of each group. price[N]: of being away from home.
    """

    node: Numbers
    first_place: Numbers
    place_of: Numbers
    domain: Numbers
    accepts: NDArray[np.uint8]
    scale: Amounts
    weight: Amounts
    goal: Amounts
    ceiling: Amounts
    base: Amounts
    demand: Amounts
    group: Numbers
    level: Numbers
    start: Numbers
    member: Numbers
    home: Numbers
    leave: NDArray[np.uint8]
    price: Amounts

    @classmethod
    def of(cls, shards: Shards, goal: Goal) -> Columns:
        """O(N R + P R)."""
        node, scale, weight, aims, ceiling, base = [], [], [], [], [], []
        offset = 0
        for number, resource in enumerate(shards.resources):
            level, there = mean(shards, number), counted(shards, resource)
            capacity = np.asarray(resource.capacity, dtype=np.float64)
            has = np.where(capacity > 0, capacity, 1.0)
            minded = there & (capacity > 0) & math.isfinite(goal.peaks[number]) & (level > 0)
            node.append(np.asarray(resource.node) + offset)
            scale.append(np.where(minded, 1.0 / (has * level if level else has), 0.0))
            weight.append(np.where(minded, capacity / max(capacity[there].sum(), 1e-300), 0.0))
            aims.append(np.full(len(capacity), min(goal.peaks[number], 1e18)))
            ceiling.append(
                np.full(len(capacity), np.inf) if resource.ceiling is None else capacity * resource.ceiling
            )
            base.append(np.asarray(resource.base, dtype=np.float64))
            offset += len(capacity)
        nodes = np.ascontiguousarray(np.stack(node, axis=1), dtype=np.int32)
        owners, places = _owners(nodes)
        order = np.argsort(shards.group, kind="stable").astype(np.int32)
        return cls(
            node=nodes,
            first_place=np.searchsorted(owners, np.arange(offset + 1)).astype(np.int32),
            place_of=places,
            domain=np.array(shards.domain, order="C"),
            accepts=shards.accepts.astype(np.uint8),
            scale=np.concatenate(scale),
            weight=np.concatenate(weight),
            goal=np.concatenate(aims),
            ceiling=np.concatenate(ceiling).astype(np.float64),
            base=np.concatenate(base),
            demand=np.array(shards.demand, order="C"),
            group=np.array(shards.group),
            level=np.array(shards.apart),
            start=np.searchsorted(shards.group[order], np.arange(len(shards.apart) + 1)).astype(np.int32),
            member=order,
            home=np.array(shards.home),
            leave=shards.leave.astype(np.uint8),
            price=_prices(shards, goal),
        )


def _owners(nodes: Numbers) -> tuple[Numbers, Numbers]:
    """All pairs of a node and a place of it, by node."""
    owners = nodes.ravel()
    places = np.repeat(np.arange(len(nodes), dtype=np.int32), nodes.shape[1])
    order = np.argsort(owners, kind="stable")
    return owners[order], places[order]


#: A move costs this part of a usual replica's bytes beside its own: fewer, larger moves where bytes are equal.
EACH = 0.05


def _prices(shards: Shards, goal: Goal) -> Amounts:
    sizes = shards.sizes
    total = float(sizes.sum())
    if not total:
        return np.full(len(sizes), goal.price / max(len(sizes), 1))
    return np.asarray(goal.price * (sizes + EACH * total / len(sizes)) / total)
