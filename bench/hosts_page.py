"""B9: the first byte of the hosts' page with 10,000 hosts, from the real server while 2,000 hosts a second report.

Hosts and their ledgers are put into the database of the running console; what they report comes over the broker, as
from another web process that their agents are connected to. One browser's session asks, one request after the other on
a kept connection: the time to the first byte of each, and of each round its 95th percentile.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from http.client import HTTPConnection

from bench.closed_loop import Unexpected
from bench.figures import Compared
from bench.fleet_rows import fill
from bench.fleet_ticks import report_always
from bench.load.summary import percentile
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row

HOSTS, UPDATES_PER_S = 10_000, 2000
VIEWS = {
    "": "/hosts/",
    ".filtered": "/hosts/?label=zone%3Da&q=host-0",
    ".sorted": "/hosts/?sort=-cpu&page=3",
}
WARM_S, WARM_FAST_S = 10.0, 3.0
ASKED, ASKED_FAST = 60, 15
PAUSE_S = 0.05
LIMIT = Limit("at once, to a person", most=100.0)


async def run(settings: Settings) -> list[Row]:
    samples: dict[str, list[float]] = {view: [] for view in VIEWS}
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane())
        session = await asyncio.to_thread(fill, plane.place, HOSTS)
        reporting = asyncio.create_task(report_always(plane, HOSTS, UPDATES_PER_S))
        stack.callback(reporting.cancel)
        await asyncio.sleep(settings.pick(WARM_S, WARM_FAST_S))
        for _ in range(settings.rounds):
            for view, path in VIEWS.items():
                asked = settings.pick(ASKED, ASKED_FAST)
                samples[view].append(await asyncio.to_thread(_ask, plane, path, session, asked))
        if reporting.done():
            reporting.result()
    note = f"95th percentile of each round; {HOSTS} hosts, {UPDATES_PER_S} reports a second"
    return [
        row(
            f"B9.hosts_ttfb_ms{view}",
            Compared.of(taken),
            "ms",
            LIMIT,
            packages=("django", "uvicorn"),
            note=note,
        )
        for view, taken in samples.items()
    ]


def _ask(plane: ControlPlane, path: str, session: str, times: int) -> float:
    """The 95th percentile of the time to the first byte, in milliseconds."""
    connection = HTTPConnection(plane.address, plane.port, timeout=30)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": f"sessionid={session}"})
        answer = connection.getresponse()
        taken.append((time.perf_counter() - began) * 1000)
        body = answer.read()
        if answer.status != 200 or b"host-0" not in body:
            raise Unexpected(f"{path} answered {answer.status} without hosts")
        time.sleep(PAUSE_S)
    connection.close()
    return percentile(sorted(taken), 95)
