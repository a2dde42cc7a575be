"""B1.sim.quota: how short a tail the rack's hosts allow a picker that knows every speed, because of how they are slow.

The kernel makes a host slow by a quota: in each period of 100 ms its processes run at full speed until the quota is
used up, and stand still for the rest, up to 75 ms on the fastest of the six. Simulated with the rack's own quotas:
first come first served on each host, periods that begin at different times, requests of 5 ms, the shortest expected
delay by perfect weights. The peer is the same picker before hosts of the same speeds that are slow evenly.

B1.sim.windows: the same hosts and weights, and the picker is told each host's quota and period, as agents report them;
when the windows begin it learns. The peer is the picker that is told nothing of windows. .varied: requests' costs vary
by half of their mean (normal, not below a fiftieth); .unequal: exponentially.

Nothing is timed here. The rule that is compared with on the rack is B1.p99.LOAD.vs_perfect_picker.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from balancer_core._kernels.picker import Pool
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

Costs = Callable[[random.Random], float]


def equal(_chance: random.Random) -> float:
    """Every request costs the same."""
    return COST_S


def varied(chance: random.Random) -> float:
    """Normal, with half the mean as standard deviation."""
    return max(COST_S / 50, chance.gauss(COST_S, COST_S / 2))


def unequal(chance: random.Random) -> float:
    """Exponential."""
    return chance.expovariate(1 / COST_S)


@dataclass(slots=True)
class EvenHost:
    """Works at a steady speed. ends: when each request that is here will be done; answered: how many were."""

    cores: float
    ends: deque[float] = field(default_factory=deque)
    answered: int = 0

    def come_to(self, now: float) -> None:
        """What ended by then is answered."""
        while self.ends and self.ends[0] <= now:
            self.ends.popleft()
            self.answered += 1

    def take(self, now: float, cost_s: float) -> float:
        """A request comes; when it will be done."""
        begin = self.ends[-1] if self.ends else now
        self.ends.append(self.done(max(now, begin), cost_s))
        return self.ends[-1]

    def done(self, begin: float, cost_s: float) -> float:
        """When a request ends that is begun then."""
        return begin + cost_s / self.cores


@dataclass(slots=True)
class QuotaHost(EvenHost):
    """Works at full speed until the period's quota is used up. phase_s: into its period at second 0."""

    phase_s: float = 0.0
    period: int = -1
    used_s: float = 0.0

    @property
    def window(self) -> tuple[float, float, float]:
        """Period in seconds, cores, and how many requests a window serves."""
        quota_us, period_us = cpu_quota(self.cores)
        return period_us / 1e6, quota_us / period_us, quota_us / 1e6 / COST_S

    def done(self, begin: float, cost_s: float) -> float:
        quota_us, period_us = cpu_quota(self.cores)
        quota_s, period_s = quota_us / 1e6, period_us / 1e6
        now, left = begin, cost_s
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


def quota_hosts(chance: random.Random) -> list[QuotaHost]:
    """The rack's six, whose periods begin at different times."""
    return [QuotaHost(spec.cores, phase_s=chance.random()) for spec in UNEQUAL]


def pool_of(hosts: Sequence[EvenHost], seed: int = 0) -> Pool:
    """The picker before them, with perfect weights."""
    return Pool(np.array([host.cores / COST_S for host in hosts]), seed=seed)


def aware_pool_of(hosts: Sequence[QuotaHost], seed: int = 0) -> Pool:
    """The same, told of the windows but not when they begin."""
    pool = pool_of(hosts, seed)
    for place, host in enumerate(hosts):
        pool.set_window(place, *host.window, 0.0)
    return pool


def p99_ms(
    hosts: Sequence[EvenHost],
    pool: Pool,
    load: int,
    requests: int,
    chance: random.Random,
    costs: Costs = equal,
) -> float:
    """Of so many requests at that load, each where the pool says."""
    rate_per_s = load / 100 * sum(host.cores for host in hosts) / COST_S
    now, latencies = 0.0, []
    none_failed = np.zeros(len(hosts), dtype=np.uint64)
    for _ in range(requests):
        now += chance.expovariate(rate_per_s)
        for host in hosts:
            host.come_to(now)
        in_flight = np.array([len(host.ends) for host in hosts], dtype=np.int64)
        answered = np.array([host.answered for host in hosts], dtype=np.uint64)
        best = hosts[pool.pick(in_flight, now, answered, none_failed)]
        latencies.append(best.take(now, costs(chance)) - now)
    return 1000.0 * percentile(sorted(latencies[int(WARM * requests) :]), 99)


async def run(settings: Settings) -> list[Row]:
    """A row for each load beside even hosts, and for each load and kind of costs beside the picker without windows."""
    requests = settings.pick(REQUESTS, REQUESTS_FAST)
    rows = []
    limit = Limit("what the kernel's quotas allow a picker that knows the speeds")
    for load in LOADS:
        plain: list[float] = []
        even: list[float] = []
        for seed in range(1, settings.rounds + 1):
            quotas = quota_hosts(random.Random(seed))
            plain.append(p99_ms(quotas, pool_of(quotas, seed), load, requests, random.Random(seed)))
            steady = [EvenHost(spec.cores) for spec in UNEQUAL]
            even.append(p99_ms(steady, pool_of(steady, seed), load, requests, random.Random(seed)))
        rows.append(
            row(
                f"B1.sim.quota.{load}",
                Compared.of(plain, even),
                "ms p99",
                limit,
                peer="hosts that are slow evenly",
            )
        )
        settings.say(f"  {rows[-1].id}: {rows[-1].ours:g} ms, slow evenly: {rows[-1].peer_value:g} ms")
    for name, costs in (("", equal), (".varied", varied), (".unequal", unequal)):
        for load in LOADS:
            sides: tuple[list[float], list[float]] = ([], [])
            for seed in range(1, settings.rounds + 1):
                for side, kind in zip(sides, (aware_pool_of, pool_of), strict=True):
                    hosts = quota_hosts(random.Random(seed))
                    side.append(p99_ms(hosts, kind(hosts, seed), load, requests, random.Random(seed), costs))
            rows.append(
                row(
                    f"B1.sim.windows.{load}{name}",
                    Compared.of(*sides),
                    "ms p99",
                    Limit("never worse than without, but for noise", most=1.1, of="ratio"),
                    peer="the picker that knows of no windows",
                )
            )
            settings.say(f"  {rows[-1].id}: {rows[-1].ours:g} ms, without: {rows[-1].peer_value:g} ms")
    return rows
