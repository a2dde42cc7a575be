"""B7: what a report costs the web process, beside a bare websockets loop that decodes the same messages.

A hundred agents that joined send ten reports a second each, spread evenly, to one side and then to the other.
Ours is all that the web process does meanwhile: checking, the columns, ticks, its sweeps of the database.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bench.bare import BareLink
from bench.figures import Compared, in_turn
from bench.machine import cpu_s
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.swarm import Swarm

AGENTS, EACH_PER_S = 100, 10.0
ROUND_S, ROUND_FAST_S = 10.0, 2.0
SETTLE_S = 1.0
LIMIT = Limit("receiving and decoding the message at all (ratio 1)", of="ratio")


async def run(settings: Settings) -> list[Row]:
    round_s = settings.pick(ROUND_S, ROUND_FAST_S)
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane())
        bare = await stack.enter_async_context(BareLink())
        to_web = await stack.enter_async_context(Swarm(plane.url, await plane.host_tokens(AGENTS)))
        to_bare = await stack.enter_async_context(Swarm(bare.url, ["bench.token"] * AGENTS))
        web = plane.pids()["web"]
        await asyncio.sleep(SETTLE_S)
        ours, peer = await in_turn(
            settings.rounds,
            lambda: _cost_us(web, to_web, round_s),
            lambda: _cost_us(bare.pid, to_bare, round_s),
        )
    note = f"{AGENTS} agents, {EACH_PER_S:g} reports a second each"
    packages = ("uvicorn", "websockets", "msgspec", "uvloop")
    peer_name = "bare websockets + msgspec loop"
    compared = Compared.of(ours, peer)
    return [
        row(
            "B7.ingest_cpu_ratio",
            compared,
            "us of cpu a report",
            LIMIT,
            peer=peer_name,
            packages=packages,
            note=note,
        )
    ]


async def _cost_us(pid: int, swarm: Swarm, seconds: float) -> float:
    """Microseconds of the process's cpu for each report that was sent."""
    used = cpu_s(pid)
    sent = await swarm.report_for(seconds, EACH_PER_S)
    return 1e6 * (cpu_s(pid) - used) / sent
