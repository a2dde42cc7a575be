"""B4.frontier: what evenness costs, ours beside each peer's: bytes moved to be as even as the peer became.

The peers' figures are published ones of the same cluster; ours are made for each anew, with the peer's evenness as the
goal, on one core, every moment of the plan judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from balancer_core.shards import Goal
from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.shards.clusters import measured
from bench.shards.plans import BYTES_ONLY, THREE, THREE_S, solve_alone

#: A search ends a hair beside its goal: it aims at so much of the peer's excess, and must come to no more than all of
#: it, by the digits that are published.
AIMED: Final = 0.75
DIGITS: Final = 0.00005
#: Seconds of cpu for bytes alone; the peers took 6 to 181.
ALONE_S: Final = 6.0
#: The least that is possible of bytes, operations and network: the hottest shard alone is 1.312 of a disk's mean.
FLOORS: Final = (1.0, 1.312, 1.0)


@dataclass(frozen=True, slots=True)
class Peer:
    """What a balancer came to. peaks: the fullest over the mean of bytes, operations, network, or of bytes alone."""

    name: str
    peaks: tuple[float, ...]
    moved_pct: float

    @property
    def excess(self) -> float:
        """How far the worst of its resources is above the least that is possible, as a share."""
        return max(peak / floor - 1.0 for peak, floor in zip(self.peaks, FLOORS, strict=False))


#: By the last parts of their rows' ids: of bytes alone, and of three resources at once.
PEERS: Final = {
    "bytes.ceph_5": Peer("Ceph's balancer, deviation 5", (1.379,), 2.6),
    "bytes.ceph_1": Peer("Ceph's balancer, deviation 1", (1.251,), 9.2),
    "bytes.rebalancer_squares": Peer("Rebalancer, squares", (1.0065,), 4.57),
    "bytes.equilibrium": Peer("Equilibrium", (1.0053,), 5.45),
    "bytes.rebalancer_variance": Peer("Rebalancer, variance, 20 s", (1.0015,), 4.75),
    "bytes.equilibrium_free": Peer("Equilibrium, counts ignored", (1.0013,), 5.35),
    "three.rebalancer_variance": Peer("Rebalancer, variance, 120 s", (1.097, 2.585, 1.624), 9.7),
    "three.rebalancer_two": Peer("Rebalancer, two goals, 60 s", (1.135, 1.327, 1.666), 22.8),
    "three.rebalancer_60": Peer("Rebalancer, 60 s", (1.443, 1.527, 1.291), 15.0),
    "three.rebalancer_180": Peer("Rebalancer, 180 s", (1.087, 1.527, 1.358), 31.0),
    "three.rebalancer_540": Peer("Rebalancer, 540 s", (1.058, 1.518, 1.055), 37.8),
}


async def run(settings: Settings) -> list[Row]:
    """The rows that were asked for; none where the measured cluster is not there."""
    cluster = measured()
    if cluster is None:
        settings.say("  B4.frontier is not measured: there are no traces (STEELYARD_TRACES)")
        return []
    rows = []
    for name, peer in PEERS.items():
        identity = f"B4.frontier.{name}"
        if settings.wants(identity):
            rows.append(_row(identity, peer, cluster, settings))
            settings.say(f"  {identity}: {rows[-1].ours:g} % beside {rows[-1].peer_value:g} %")
    return rows


def _row(identity: str, peer: Peer, cluster: dict[str, Any], settings: Settings) -> Row:
    """Raises ValueError where ours does not become as even."""
    alone = len(peer.peaks) == 1
    aims = [floor + AIMED * (peak - floor) for peak, floor in zip(peer.peaks, FLOORS, strict=False)]
    goal = Goal((*aims, *[math.inf] * (len(FLOORS) - len(aims))), BYTES_ONLY.price if alone else THREE.price)
    found = solve_alone(cluster, goal, settings.pick(ALONE_S, 3.0) if alone else settings.pick(THREE_S, 5.0))
    came = tuple(found.verdict.peaks.values())[: len(peer.peaks)]
    if any(ours > theirs + DIGITS for ours, theirs in zip(came, peer.peaks, strict=True)):
        raise ValueError(f"{identity}: it came to {came}, and the peer to {peer.peaks}")
    note = f"ours {_listed(came)} after {found.seconds:.1f} s of cpu; the peer {_listed(peer.peaks)}"
    return row(
        identity,
        Compared.of([100 * found.verdict.share], [peer.moved_pct]),
        "% of bytes",
        Limit("no more than the peer", of="ratio", most=1.0),
        peer=peer.name,
        note=note,
    )


def _listed(peaks: tuple[float, ...]) -> str:
    return " / ".join(f"{peak:.5g}" for peak in peaks)
