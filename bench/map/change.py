"""B9: from a change on a host to its pixels: the report of an agent, through the real web process and its WebSocket, to
the tile on the map of a real Chromium, among 10,000 hosts of which 2,000 a second report.

The host goes from idle to full and back, at moments that have nothing to do with the console's own clock. The page
looks at a pixel of its tile whenever the map has painted, and takes the time of the animation frame after that one,
when what was painted is on the screen.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from random import Random

from bench.closed_loop import Unexpected
from bench.figures import Compared
from bench.fleet_rows import fill
from bench.fleet_ticks import TICK_S, report_always
from bench.map.chromium import Chromium, p99
from bench.map.smoothness import HOSTS, OURS_READY, UPDATES_PER_S
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.swarm import CAPACITY, Member, Swarm

CHANGES, CHANGES_FAST = 100, 10
SETTLE_S, SETTLE_FAST_S = 5.0, 1.0
#: Between two changes: longer than the limit, so that each is seen before the next.
PAUSE_S = 0.75
#: For the last of them.
LAST_S = 3.0
USED = tuple({name: amount * share for name, amount in CAPACITY.items()} for share in (0.05, 0.95))
LIMIT = Limit("a person who waits for it sees it at once: below 500 ms", most=500.0)
#: From now on the page keeps the times, of the clock that all processes share, at which the host's tile changed.
LOOK = """
    const [name, done] = given;
    const map = document.querySelector("cluster-map");
    const slot = map.slotOf(name);
    if (slot < 0) return done(false);
    const place = [map.plan.x[slot] + 2, map.plan.y[slot] + 2].map((at) => Math.round(at * devicePixelRatio));
    const colour = () => map.canvas.getContext("2d").getImageData(...place, 1, 1).data.join();
    let shown = colour();
    window.changedAt = [];
    map.addEventListener("painted", () => {
      if (colour() === shown) return;
      shown = colour();
      requestAnimationFrame(() => window.changedAt.push(performance.timeOrigin + performance.now()));
    });
    done(true);
"""
LOOKED = "const [done] = given; done(window.changedAt.splice(0));"


async def run(settings: Settings) -> list[Row]:
    rng = Random(1)
    changes = settings.pick(CHANGES, CHANGES_FAST)
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane())
        session = await asyncio.to_thread(fill, plane.place, HOSTS)
        reporting = asyncio.create_task(report_always(plane, HOSTS, UPDATES_PER_S))
        stack.callback(reporting.cancel)
        swarm = await stack.enter_async_context(Swarm(plane.url, await plane.host_tokens(1)))
        agent = swarm.members[0]
        await agent.report(USED[0])
        browser = await asyncio.to_thread(stack.enter_context, Chromium())
        browser.let_in(plane.url, session)
        await asyncio.to_thread(browser.open, f"{plane.url}/", OURS_READY)
        await asyncio.sleep(settings.pick(SETTLE_S, SETTLE_FAST_S))
        if not await asyncio.to_thread(browser.run, LOOK, agent.name):
            raise Unexpected(f"{agent.name} is not on the map")
        rounds = [await _change(agent, browser, changes, rng) for _ in range(settings.rounds)]
        if reporting.done():
            reporting.result()
        version = browser.version()
    note = (
        f"{changes} changes a round, {HOSTS} hosts, {UPDATES_PER_S:g} reports a second, "
        f"Chromium {version} without a gpu"
    )
    packages = ("uvicorn", "websockets")
    samples = Compared.of([p99(taken) for taken in rounds])
    return [row("B9.change_to_pixel_ms", samples, "ms", LIMIT, packages=packages, note=note)]


async def _change(agent: Member, browser: Chromium, changes: int, rng: Random) -> list[float]:
    """Milliseconds of each change. Raises Unexpected where one was never seen."""
    sent = []
    for each in range(changes):
        await asyncio.sleep(PAUSE_S + rng.uniform(0, TICK_S))
        sent.append(time.time() * 1000)
        await agent.report(USED[1 - each % 2])
    await asyncio.sleep(LAST_S)
    seen: list[float] = await asyncio.to_thread(browser.run, LOOKED)
    after = [next((at for at in seen if at > began), None) for began in sent]
    if missed := after.count(None):
        raise Unexpected(f"{missed} of {changes} changes of {agent.name} were never painted")
    return [at - began for at, began in zip(after, sent, strict=True) if at is not None]
