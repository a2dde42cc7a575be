"""What simulated hosts have and use: functions of their number and the time, the same in each process.

Sizes differ as they do where machines were bought over years; use goes up and down in waves of some minutes, racks
together; a few hosts are too hot and a few disks nearly full, so that alerts have something to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_HOSTS = 200
GIB = 2.0**30
#: Cores, GiB of memory, GiB of disk, Gbit/s.
SIZES = (
    (4, 16, 200, 1),
    (8, 32, 400, 1),
    (8, 64, 800, 10),
    (16, 64, 800, 10),
    (32, 128, 1600, 10),
    (64, 512, 6400, 25),
)
ZONES = ("north", "south", "west")
HOSTS_A_RACK = 20
#: Every so many hosts one is hot, and one has little disk left.
HOT_EVERY, FULL_EVERY = 67, 71
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Machine:
    """A simulated host as an agent would introduce it. Its address is of TEST-NET-1, which no network routes."""

    name: str
    address: str
    labels: dict[str, str]
    capacity: dict[str, float]


def machine(number: int) -> Machine:
    """Of 1 to MOST_HOSTS."""
    cores, memory, disk, gbits = SIZES[int(_spread(number) * len(SIZES))]
    rack = (number - 1) // HOSTS_A_RACK
    labels = {"zone": ZONES[rack % len(ZONES)], "rack": f"r{rack + 1:02d}", "simulated": "yes"}
    net = gbits * 1e9 / 8
    capacity = {
        "cpu": float(cores), "memory": memory * GIB, "disk": disk * GIB, "disk_io": 5e8, "net_in": net, "net_out": net,
    }  # fmt: skip
    return Machine(f"sim-{number:03d}", f"192.0.2.{number}", labels, capacity)


def used(number: int, capacity: dict[str, float], at_s: float) -> dict[str, float]:
    """What it uses at a time (seconds since 1970), by resource, never more than it has."""
    base, phase = 0.1 + 0.5 * _spread(number + 1000), _spread(number + 2000)
    rack = (number - 1) // HOSTS_A_RACK
    busy = (
        base
        + 0.15 * _wave(at_s, 420.0, phase)
        + 0.1 * _wave(at_s, 900.0, rack / 10)
        + 0.03 * _wave(at_s, 23.0, phase)
    )
    if number % HOT_EVERY == 0:
        busy = 0.98
    shares = {
        "cpu": busy,
        "memory": 0.25 + 0.5 * base + 0.1 * _wave(at_s, 1800.0, phase),
        "disk": 0.93 if number % FULL_EVERY == 0 else 0.2 + 0.5 * phase,
        "disk_io": 0.5 * busy * busy,
        "net_in": 0.4 * busy,
        "net_out": 0.6 * busy,
    }
    return {
        name: capacity[name] * min(max(share, 0.01), 0.99)
        for name, share in shares.items()
        if name in capacity
    }


def _spread(number: int) -> float:
    """Evenly over [0, 1), neighbours far apart."""
    return (number * _GOLDEN) % 1.0


def _wave(at_s: float, period_s: float, phase: float) -> float:
    return math.sin(2 * math.pi * (at_s / period_s + phase))
