"""One turn: load through one door for so long, what came of it, and the wait until the hosts are idle again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.load.generator import Generator, LoadPlan
from bench.load.summary import Record, Summary, summarise

#: Requests due in this first part of a turn are sent and not counted: every door starts with empty queues and
#: without connections, and ours without a look at the hosts since its last turn.
WARM_S = 5.0
#: A request that waits longer than this has failed; it counts with this latency.
DEADLINE_S = 20.0
#: Idle: the hosts together use less of a core than this, looked at so often, awaited at most so long.
IDLE_CORES, LOOK_S, PATIENCE_S = 0.02, 0.5, 180.0

#: Seconds of cpu that each host's server has used so far.
Spent = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of the requests that count. used: cpu seconds of each host's server over the counted part.
    records: all of the turn, those of its warm-up too, by the instant that they were due."""

    summary: Summary
    records: Sequence[Record]
    used: Mapping[str, float]


async def take(url: str, rate_per_s: float, seconds: float, seed: int, spent: Spent) -> Turn:
    """Open-loop load at that rate for WARM_S and then so many seconds that count."""
    return await take_through([url], rate_per_s, seconds, seed, spent)


async def take_through(
    urls: Sequence[str], rate_per_s: float, seconds: float, seed: int, spent: Spent
) -> Turn:
    """The same through several doors at once, each with its even part of the rate and arrivals of its own."""
    generators = [
        Generator(
            LoadPlan(
                url, rate_per_s / len(urls), WARM_S + seconds,
                seed=seed * len(urls) + number, deadline_s=DEADLINE_S, max_outstanding=20_000,
            )
        )
        for number, url in enumerate(urls)
    ]  # fmt: skip
    running = asyncio.gather(*(generator.run() for generator in generators))
    try:
        await asyncio.sleep(WARM_S)
        before = spent()
        await asyncio.sleep(seconds)
        after = spent()
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    records = sorted(
        (record for generator in generators for record in generator.records),
        key=lambda record: record.scheduled_s,
    )
    counted = [record for record in records if record.scheduled_s >= WARM_S]
    used = {host: after[host] - before[host] for host in after}
    return Turn(summarise(counted, max(each.max_lag_s for each in generators)), records, used)


async def until_idle(spent: Spent) -> None:
    """Until the servers have done what was still in their queues. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        last = sum(spent().values())
        while True:
            await asyncio.sleep(LOOK_S)
            now = sum(spent().values())
            if (now - last) / LOOK_S < IDLE_CORES:
                return
            last = now
