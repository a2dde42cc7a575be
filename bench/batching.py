"""B2.batch: many loads in one decision beside the same loads one at a time in the order in which they come.

Both with the policy spread on the same empty cluster of unequal hosts, both explained. Where the loads ask for
nearly all there is, what counts is how much of what is asked finds a place; where there is room for all, what
the cluster then costs (the sum of all prices, computed here from the hosts' columns).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from balancer_core.batch import decide_many
from balancer_core.cluster import Cluster, Snapshot
from balancer_core.load import Load
from balancer_core.placement import decide
from bench.decisions import DIMENSIONS, HARDWARE, NOW, PACKAGES, Matrix, seconds
from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.scan_numpy import price

HOSTS, HOSTS_FAST = 200, 40
FULL, ROOMY = 1.0, 0.7
NOTE = "200 unequal hosts, loads of 1 to 60 % of a small host, all different; both sides explained"


def empty(hosts: int, seed: int) -> Cluster:
    """Hosts of four kinds that hold nothing."""
    rng = np.random.default_rng(seed)
    cluster = Cluster(DIMENSIONS)
    for number, kind in enumerate(rng.integers(0, len(HARDWARE), hosts).tolist()):
        cluster.add_host(f"host-{number}", DIMENSIONS.mapping(HARDWARE[kind]))
        cluster.report(f"host-{number}", {}, NOW)
    return cluster


def asking(snapshot: Snapshot, share: float, seed: int) -> list[Load]:
    """Loads until they ask for this share of the resource that is asked for most."""
    rng = np.random.default_rng(seed)
    total, asked = snapshot.capacity.sum(axis=0), np.zeros(len(DIMENSIONS))
    loads: list[Load] = []
    while (asked / total).max() < share:
        demand = HARDWARE[0] * rng.lognormal(-2.0, 1.0, len(DIMENSIONS)).clip(0.01, 0.6)
        asked += demand
        loads.append(Load("job", f"job-{len(loads)}", DIMENSIONS.mapping(demand)))
    return loads


def one_at_a_time(cluster: Cluster, loads: Sequence[Load]) -> list[str | None]:
    """Where each goes when it comes, reserved before the next."""
    hosts = []
    for load in loads:
        host = decide(cluster.view(), load, NOW).host
        hosts.append(host)
        if host is not None:
            cluster.reserve(host, DIMENSIONS.vector(load.demand))
    return hosts


def settled(snapshot: Snapshot, loads: Sequence[Load], hosts: Sequence[str | None]) -> tuple[Matrix, float]:
    """float64[H, R] that is held, and the share of what was asked that is held, over all resources alike.

    Raises AssertionError if a host holds more than it has.
    """
    held, asked = np.zeros_like(snapshot.capacity), np.zeros(len(DIMENSIONS))
    for load, host in zip(loads, hosts, strict=True):
        demand = DIMENSIONS.vector(load.demand)
        asked += demand
        if host is not None:
            held[snapshot.rows[host]] += demand
    if (held > snapshot.capacity * (1 + 1e-12)).any():
        raise AssertionError("a host holds more than it has")
    return held, float((held.sum(axis=0) / asked).mean())


def cost(snapshot: Snapshot, held: Matrix) -> float:
    """The sum of all prices."""
    free = 1.0 - held / snapshot.capacity
    columns: list[NDArray[np.float64]] = [
        price(int(kind), free[:, r]) for r, kind in enumerate(snapshot.dimensions.kinds)
    ]
    return float(np.sum(columns))


class Round:
    """The same loads both ways."""

    def __init__(self, hosts: int, share: float, seed: int) -> None:
        snapshot = empty(hosts, seed).snapshot()
        loads = asking(snapshot, share, seed)
        found: dict[str, list[str | None]] = {}

        def together() -> None:
            found["ours"] = [each.host for each in decide_many(snapshot, loads, NOW)]

        def alone() -> None:
            found["peer"] = one_at_a_time(empty(hosts, seed), loads)

        self.rates = len(loads) / seconds(together), len(loads) / seconds(alone)
        (ours, our_part), (theirs, their_part) = (
            settled(snapshot, loads, found[side]) for side in ("ours", "peer")
        )
        self.placed = 100.0 * our_part, 100.0 * their_part
        self.costs = cost(snapshot, ours), cost(snapshot, theirs)
        self.all_placed = all(None not in side for side in found.values())


async def run(settings: Settings) -> list[Row]:
    """Rows of B2.batch."""
    hosts = settings.pick(HOSTS, HOSTS_FAST)
    full, roomy = [], []
    for number in range(settings.rounds):
        settings.say(f"  round {number + 1} of {settings.rounds}")
        full.append(Round(hosts, FULL, number))
        roomy.append(Round(hosts, ROOMY, number))
        if not roomy[-1].all_placed:
            raise AssertionError("there was room for all")
    rows: dict[str, tuple[str, list[tuple[float, float]]]] = {
        "B2.batch.placed": ("% of what is asked", [each.placed for each in full]),
        "B2.batch.cost": ("cost of the cluster", [each.costs for each in roomy]),
        "B2.batch.rate": ("loads/s", [each.rates for each in roomy]),
        "B2.batch.rate_full": ("loads/s", [each.rates for each in full]),
    }
    limit = Limit("the peer's")
    return [
        row(
            name,
            Compared.of([ours for ours, _ in pairs], [peer for _, peer in pairs]),
            unit,
            limit,
            peer="one at a time",
            packages=PACKAGES,
            note=NOTE,
        )
        for name, (unit, pairs) in rows.items()
    ]
