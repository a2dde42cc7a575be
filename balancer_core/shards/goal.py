"""How even is even enough, and what moving may cost: what an operator asks of a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from balancer_core.shards.problem import Amounts, Flags, InvalidShards, Numbers, Resource, Shards


@dataclass(frozen=True, slots=True)
class Goal:
    """peaks: for each resource the utilisation of the fullest node over the mean that is aimed for, at least 1;
    math.inf where it does not matter.

    price: what a byte that moves costs beside a byte above the goal; as little as keeps needless moves away.
    """

    peaks: tuple[float, ...]
    price: float = 0.2

    def __post_init__(self) -> None:
        if not all(peak >= 1.0 for peak in self.peaks):
            raise InvalidShards("peaks", "out_of_range", "numbers from 1: the fullest over the mean.")
        if not 0.0 < self.price < 1.0:
            raise InvalidShards("price", "out_of_range", "a share between 0 and 1.")

    @classmethod
    def as_now(cls, shards: Shards) -> Goal:
        """No node fuller than the fullest of now: for a drain, which should move nothing else."""
        kept = ~shards.leave
        return cls(tuple(
            max(1.0, peak(shards, number, shards.home, kept)) for number in range(len(shards.resources))
        ))  # fmt: skip


def counted(shards: Shards, resource: Resource) -> Flags:
    """bool[nodes]: which nodes have a place that is not gone; only these share the load."""
    there = np.zeros(len(resource.capacity), dtype=np.bool_)
    there[resource.node[~shards.gone]] = True
    return there


def mean(shards: Shards, number: int) -> float:
    """The utilisation that every node would have if all were equally full, once nothing is on gone places."""
    resource = shards.resources[number]
    there = counted(shards, resource)
    capacity = float(resource.capacity[there].sum())
    total = float(resource.base[there].sum() + shards.demand[:, number].sum())
    return total / capacity if capacity else 0.0


def amounts(shards: Shards, number: int, at: Numbers, counts: Flags | None = None) -> Amounts:
    """float64[nodes]: what each carries with replicas (those of the mask `counts`; None: all) at these places."""
    resource = shards.resources[number]
    held = shards.demand[:, number] if counts is None else shards.demand[:, number] * counts
    load = np.bincount(resource.node[at], weights=held, minlength=len(resource.capacity))
    return np.asarray(load + resource.base)


def peak(shards: Shards, number: int, at: Numbers, counts: Flags | None = None) -> float:
    """The fullest node's utilisation over the mean; 0 where nothing is used."""
    resource = shards.resources[number]
    there = counted(shards, resource)
    level = mean(shards, number)
    if level <= 0.0 or not there.any():
        return 0.0
    return float((amounts(shards, number, at, counts)[there] / resource.capacity[there]).max()) / level
