"""B1.sim.quota: how short a tail the rack's hosts allow a picker that knows every speed, because of how they are slow.

The kernel makes a host slow by a quota: in each period of 100 ms its processes run at full speed until the quota is
used up, and stand still for the rest, up to 75 ms on the fastest of the six. Simulated with the rack's own quotas:
first come first served on each host, periods that begin at different times, requests of 5 ms, the shortest expected
delay by perfect weights. The peer is the same picker before hosts of the same speeds that are slow evenly.

Nothing is timed here. The rule that is compared with on the rack is B1.p99.LOAD.vs_perfect_picker.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from balancer_core._kernels.picker import own_load
from bench.figures import Compared
from bench.load.summary import percentile
from bench.rack.specs import cpu_quota
from bench.rack.unequal import UNEQUAL
from bench.registry import Settings
from bench.results import Limit, Row, row

LOADS: Final = (30, 60, 80, 92)
COST_S: Final = 0.005
REQUESTS, REQUESTS_FAST = 50_000, 10_000
#: This part of a run fills the queues.
WARM: Final = 0.1
OWN: Final = own_load(1)


@dataclass(slots=True)
class EvenHost:
    """Works at a steady speed. ends: when each request that is here will be done."""

    cores: float
    ends: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> float:
        """A request comes; when it will be done."""
        begin = self.ends[-1] if self.ends else now
        self.ends.append(self.done(max(now, begin)))
        return self.ends[-1]

    def done(self, begin: float) -> float:
        """When a request ends that is begun then."""
        return begin + COST_S / self.cores


@dataclass(slots=True)
class QuotaHost(EvenHost):
    """Works at full speed until the period's quota is used up. phase_s: into its period at second 0."""

    phase_s: float = 0.0
    period: int = -1
    used_s: float = 0.0

    def done(self, begin: float) -> float:
        quota_us, period_us = cpu_quota(self.cores)
        quota_s, period_s = quota_us / 1e6, period_us / 1e6
        now, left = begin, COST_S
        while True:
            period = math.floor((now + self.phase_s) / period_s)
            if period != self.period:
                self.period, self.used_s = period, 0.0
            next_s = (period + 1) * period_s - self.phase_s
            ran = min(left, quota_s - self.used_s, next_s - now)
            self.used_s += ran
            left -= ran
            # Sums of these are not exact: what is left of a nanosecond is nothing.
            if left < 1e-9:
                return now + ran
            now = next_s + 1e-9


def p99_ms(hosts: list[EvenHost], load: int, requests: int, chance: random.Random) -> float:
    """Of so many requests at that load, each where it is expected to end first by what is in flight and the speeds."""
    rate_per_s = load / 100 * sum(host.cores for host in hosts) / COST_S
    now, latencies = 0.0, []
    for _ in range(requests):
        now += chance.expovariate(rate_per_s)
        for host in hosts:
            while host.ends and host.ends[0] <= now:
                host.ends.popleft()
        best = min(hosts, key=lambda host: (len(host.ends) * OWN + 1.0) / host.cores)
        latencies.append(best.take(now) - now)
    return 1000.0 * percentile(sorted(latencies[int(WARM * requests) :]), 99)


async def run(settings: Settings) -> list[Row]:
    """A row for each load."""
    requests = settings.pick(REQUESTS, REQUESTS_FAST)
    rows = []
    for load in LOADS:
        sides: tuple[list[float], list[float]] = ([], [])
        for seed in range(1, settings.rounds + 1):
            phases = random.Random(seed)
            quotas: list[EvenHost] = [QuotaHost(spec.cores, phase_s=phases.random()) for spec in UNEQUAL]
            even = [EvenHost(spec.cores) for spec in UNEQUAL]
            for side, hosts in zip(sides, (quotas, even), strict=True):
                side.append(p99_ms(hosts, load, requests, random.Random(seed)))
        limit = Limit("what the kernel's quotas allow a picker that knows the speeds")
        rows.append(
            row(
                f"B1.sim.quota.{load}",
                Compared.of(*sides),
                "ms p99",
                limit,
                peer="hosts that are slow evenly",
            )
        )
        settings.say(f"  {rows[-1].id}: {rows[-1].ours:g} ms, slow evenly: {rows[-1].peer_value:g} ms")
    return rows
