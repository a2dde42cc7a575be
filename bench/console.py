"""B7: the memory of the console's processes together, with a hundred hosts that report once a second.

PSS divides a shared page among those who share it, so the sum is what the machine has given;
RSS counts it for each.
Envoy and its relay are a row of their own: they are the data plane, and on larger installations run elsewhere.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bench.closed_loop import drive, post
from bench.figures import Compared
from bench.machine import memory_mb
from bench.placing import LOAD
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.swarm import Swarm

HOSTS = 100
#: Long enough that every process has been through its sweeps, and the web process through some requests.
SETTLE_S, SETTLE_FAST_S = 30.0, 3.0
BETWEEN_S, BETWEEN_FAST_S = 6.0, 0.5
WORK_S = 2.0
DATA_PLANE = ("envoy", "relay")
LIMIT = Limit("below 600 MB together at 100 hosts, without Envoy", most=600.0)
WITH_ENVOY = Limit("the same with Envoy and its relay; no limit of its own")


async def run(settings: Settings) -> list[Row]:
    readings: list[dict[str, tuple[float, float | None]]] = []
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane())
        swarm = await stack.enter_async_context(Swarm(plane.url, await plane.host_tokens(HOSTS)))
        swarm.report_always(1.0)
        await drive(plane.url, post(plane.url, "/api/v1/placements/", plane.token, LOAD), 4, WORK_S)
        await asyncio.sleep(settings.pick(SETTLE_S, SETTLE_FAST_S))
        for _ in range(settings.rounds):
            readings.append({role: memory_mb([pid]) for role, pid in plane.pids().items()})
            await asyncio.sleep(settings.pick(BETWEEN_S, BETWEEN_FAST_S))
    return [
        _row(
            "B7.console_rss",
            [{r: m for r, m in each.items() if r not in DATA_PLANE} for each in readings],
            LIMIT,
        ),
        _row("B7.console_rss_with_envoy", readings, WITH_ENVOY),
    ]


def _row(identity: str, readings: list[dict[str, tuple[float, float | None]]], limit: Limit) -> Row:
    """The sums of each reading; the note says what each process held in the last."""
    readable = all(pss is not None for each in readings for _, pss in each.values())
    sums = [sum((pss if readable else rss) or 0.0 for rss, pss in each.values()) for each in readings]
    resident = sum(rss for rss, _ in readings[-1].values())
    parts = ", ".join(
        f"{role} {(pss if readable else rss) or 0.0:.0f}"
        for role, (rss, pss) in sorted(readings[-1].items(), key=lambda item: -item[1][0])
    )
    kind = "PSS" if readable else "RSS"
    note = f"{kind} of {parts} MB; the sum of RSS, which counts shared pages for each, is {resident:.0f} MB"
    return row(
        identity, Compared.of(sums), "MB", limit, packages=("django", "uvicorn", "celery", "numpy"), note=note
    )
