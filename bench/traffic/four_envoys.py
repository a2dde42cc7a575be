"""B1.four_envoys: the tail through four balancers at once, each of which sees a quarter of the requests.

A balancer that counts its own requests only takes a host for idle that the others have filled. Four machines of their
own have an engine of ours and an Envoy each; every request comes through one of the four, by its own arrivals. The
hosts, the requests and the load are those of B1.p99 at 60 %.
"""

from __future__ import annotations

from typing import Final

from bench.rack.specs import HostSpec
from bench.registry import Settings
from bench.results import Row
from bench.traffic.stage import OURS, Stage
from bench.traffic.tails import calibrate, tail_row
from bench.traffic.turns import Turn, take_through, until_idle

BALANCERS: Final = 4
LOAD: Final = 0.6
SECONDS, SECONDS_FAST = 20.0, 5.0
PEERS: Final = ("envoy_lr", "envoy_lr_weights")


async def run(settings: Settings) -> list[Row]:
    # Nothing on them is under their quota: a balancer is as fast as this machine is.
    machines = [HostSpec(f"e{number}", 0.05, 256 * 2**20, 125e6) for number in range(1, BALANCERS + 1)]
    seconds = settings.pick(SECONDS, SECONDS_FAST)
    turns: dict[str, list[Turn]] = {name: [] for name in (OURS, *PEERS)}
    async with Stage(balancers=machines) as stage:
        rate_per_s = LOAD * sum(stage.cores().values()) / await calibrate(stage, OURS)
        # The law learns while the service is used.
        await take_through(stage.urls(OURS), rate_per_s, seconds, 0, stage.spent)
        for number in range(settings.rounds):
            for name, taken in turns.items():
                urls = stage.urls(name)
                taken.append(await take_through(urls, rate_per_s, seconds, number + 1, stage.spent))
                await until_idle(stage.spent)
            said = "  ".join(f"{name} {taken[-1].summary.p99_ms:.0f}" for name, taken in turns.items())
            settings.say(f"  {BALANCERS} balancers, round {number + 1}, p99 in ms: {said}")
    return [tail_row(f"B1.four_envoys.vs_{peer}", peer, turns) for peer in PEERS]
