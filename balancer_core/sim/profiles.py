"""Named failure profiles: what goes wrong, when, and on which hosts. PROFILES is the registry.

Each takes the hosts, the length of the run in seconds and random numbers, and gives failures in any order.
The first third of a run is whole, so that there is something to lose; the last third shows the recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from balancer_core.randomness import Random, below

#: A flapping host is gone so long, and then there so long.
FLAP_S: Final = 20.0

#: What is left of a slow host's rates.
SLOW: Final = 0.25

Event = Literal["gone", "silent", "slow", "well"]


@dataclass(frozen=True, slots=True)
class SimulatedHost:
    """A host as it is when the run begins."""

    name: str
    capacity: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """At at_s the host is gone (its loads with it), silent (its reports only), slow (its rates shrink), or
    well again."""

    at_s: float
    host: str
    event: Event


Profile = Callable[[Sequence[SimulatedHost], float, Random], list[Failure]]


def calm(hosts: Sequence[SimulatedHost], until_s: float, rng: Random) -> list[Failure]:
    """Nothing goes wrong."""
    return []


def host_lost(hosts: Sequence[SimulatedHost], until_s: float, rng: Random) -> list[Failure]:
    """One host is gone for the middle third."""
    return _middle([hosts[below(rng, len(hosts))]], until_s, "gone")


def zone_lost(hosts: Sequence[SimulatedHost], until_s: float, rng: Random) -> list[Failure]:
    """Every host of one zone is gone for the middle third; without zones, half of them."""
    zones = sorted({host.labels["zone"] for host in hosts if "zone" in host.labels})
    if not zones:
        return _middle(hosts[: (len(hosts) + 1) // 2], until_s, "gone")
    zone = zones[below(rng, len(zones))]
    return _middle([host for host in hosts if host.labels.get("zone") == zone], until_s, "gone")


def flapping(hosts: Sequence[SimulatedHost], until_s: float, rng: Random) -> list[Failure]:
    """One host goes and comes every 20 s through the middle third."""
    host = hosts[below(rng, len(hosts))]
    times = int(until_s / 3.0 / (2.0 * FLAP_S))
    return [
        each
        for turn in range(times)
        for each in (
            Failure(until_s / 3.0 + 2.0 * turn * FLAP_S, host.name, "gone"),
            Failure(until_s / 3.0 + (2.0 * turn + 1.0) * FLAP_S, host.name, "well"),
        )
    ]


def silent(hosts: Sequence[SimulatedHost], until_s: float, rng: Random) -> list[Failure]:
    """A third of the hosts stop reporting for the middle third, and work on."""
    return _middle([host for host in hosts if rng.random() < 1.0 / 3.0], until_s, "silent")


def slow_middle(hosts: Sequence[SimulatedHost], until_s: float, rng: Random) -> list[Failure]:
    """One host has a quarter of its rates for the middle third."""
    return _middle([hosts[below(rng, len(hosts))]], until_s, "slow")


def _middle(hosts: Sequence[SimulatedHost], until_s: float, event: Event) -> list[Failure]:
    begun = [Failure(until_s / 3.0, host.name, event) for host in hosts]
    return begun + [Failure(2.0 * until_s / 3.0, host.name, "well") for host in hosts]


PROFILES: Final[dict[str, Profile]] = {
    profile.__name__: profile for profile in (calm, host_lost, zone_lost, flapping, silent, slow_middle)
}
