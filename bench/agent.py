"""B7: what one agent costs its host, beside the Prometheus node exporter on the same host at the same pace.

The agent is the real one; it reports to a bare server that asks for a report every second, changed or not.
The exporter is asked for its metrics once a second. Their windows are taken in turn.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.bare import BareLink
from bench.figures import Compared, in_turn
from bench.load.client import Pool, Target
from bench.machine import MB, cpu_s, rss_bytes
from bench.plane import LOOPBACK, NotStarted, clean_environment, stop
from bench.registry import Settings
from bench.results import Limit, Row, row
from console.supervisor.ports import free_port

#: Five windows: a minute of each side in all, and both have run for two when the last one ends.
WINDOW_S, WINDOW_FAST_S = 12.0, 2.5
SETTLE_S, SETTLE_FAST_S = 10.0, 1.0
EXPORTER = "prometheus-node-exporter"
PACKAGES = ("psutil", "websockets", "msgspec")
MEMORY = Limit("below 35 MB resident", most=35.0)
CPU = Limit("below 0.5 % of a core at one report a second", most=0.5)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: percent of one core over a window, resident MB at its end."""

    cpu_percent: float
    rss_mb: float


async def run(settings: Settings) -> list[Row]:
    window_s = settings.pick(WINDOW_S, WINDOW_FAST_S)
    exporter = shutil.which(EXPORTER)
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(BareLink(keepalive_s=1.0))
        agent = await _agent(stack, bare.url)
        server, pool = await _exporter(stack, exporter) if exporter else (None, None)
        await asyncio.gather(asyncio.sleep(settings.pick(SETTLE_S, SETTLE_FAST_S)), _scrape(pool, 1.0))

        async def ours() -> Cost:
            return await _measured(agent.pid, asyncio.sleep(window_s), window_s)

        async def peer() -> Cost:
            assert server is not None
            return await _measured(server.pid, _scrape(pool, window_s), window_s)

        mine: list[Cost]
        theirs: list[Cost] = []
        if server is None:
            mine = [await ours() for _ in range(settings.rounds)]
        else:
            mine, theirs = await in_turn(settings.rounds, ours, peer)
    name = f"{EXPORTER}, scraped once a second" if exporter else None
    note = "one report a second, each sent" if exporter else f"{EXPORTER} is not installed here: no peer"
    memory = Compared.of([each.rss_mb for each in mine], [each.rss_mb for each in theirs])
    cpu = Compared.of([each.cpu_percent for each in mine], [each.cpu_percent for each in theirs])
    return [
        row("B7.agent_rss", memory, "MB", MEMORY, peer=name, packages=PACKAGES, note=note),
        row("B7.agent_cpu", cpu, "% of a core", CPU, peer=name, packages=PACKAGES, note=note),
    ]


async def _measured(pid: int, window: object, seconds: float) -> Cost:
    clock = asyncio.get_running_loop().time
    began, used = clock(), cpu_s(pid)
    await window  # type: ignore[misc]
    return Cost(100 * (cpu_s(pid) - used) / (clock() - began), rss_bytes(pid) / MB)


async def _agent(stack: AsyncExitStack, url: str) -> asyncio.subprocess.Process:
    data = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
    stack.callback(shutil.rmtree, data, ignore_errors=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents", "join", url, "--token", "bench." + "x" * 32, "--name", "bench",
        "--address", LOOPBACK, "--data", str(data),
        env=clean_environment(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    stack.push_async_callback(stop, process)
    return process


async def _exporter(stack: AsyncExitStack, command: str) -> tuple[asyncio.subprocess.Process, Pool]:
    port = free_port(LOOPBACK)
    process = await asyncio.create_subprocess_exec(
        command, f"--web.listen-address={LOOPBACK}:{port}",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    stack.push_async_callback(stop, process)
    pool = Pool(Target.parse(f"http://{LOOPBACK}:{port}/metrics"))
    stack.callback(pool.close)
    for _ in range(200):
        try:
            await pool.ask()
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return process, pool
    raise NotStarted(f"{EXPORTER} does not answer on its port")


async def _scrape(pool: Pool | None, seconds: float) -> None:
    """Ask for the metrics once a second for so long; nothing without an exporter."""
    clock = asyncio.get_running_loop().time
    began, turn = clock(), 0
    while pool is not None and clock() - began < seconds:
        await pool.ask()
        turn += 1
        await asyncio.sleep(max(0.0, min(began + turn, began + seconds) - clock()))
