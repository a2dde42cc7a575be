"""Many agents in one process, as the control plane sees them: real joins, real connections, made-up figures.

Reports are spread evenly over time, as those of hosts that started independently are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Self

from websockets.asyncio.client import ClientConnection, connect

from agents import wire
from agents.link import link_url

#: What every host of the swarm has; large, so that no placement of a benchmark fills it.
CAPACITY = {
    "cpu": 64.0, "memory": 256e9, "disk": 4e12, "disk_io": 1e9, "net_in": 1.25e9, "net_out": 1.25e9,
}  # fmt: skip
JOINING_AT_ONCE = 8
#: How long the pacing sleeps at least: shorter sleeps would measure the timer.
TURN_S = 0.005


class Refused(RuntimeError):
    """The control plane did not take what the swarm sent, so nothing that was measured counts."""


class Member:
    """One agent: its connection and its sequence number."""

    def __init__(self, name: str, socket: ClientConnection, rng: Random) -> None:
        self.name = name
        self._socket = socket
        self._seq = 0
        # A few pictures of use to alternate between; drawing one for each report is not the swarm's work.
        self._pictures = [
            {resource: amount * rng.uniform(0.05, 0.5) for resource, amount in CAPACITY.items()}
            for _ in range(8)
        ]
        self.reading = asyncio.create_task(self._read())

    async def report(self, used: dict[str, float] | None = None) -> None:
        """used: by resource; some made-up picture for none."""
        self._seq += 1
        used = used or self._pictures[self._seq % 8]
        await self._socket.send(wire.encode(wire.Report(self._seq, self.name, used)))

    async def _read(self) -> None:
        async for message in self._socket:
            raise Refused(f"{self.name} was told {wire.decode_downward(bytes(message))}")  # type: ignore[arg-type]


class Swarm:
    """Agents that join with these tokens, one each, and stay connected for the block."""

    def __init__(self, url: str, tokens: Sequence[str], seed: int = 1) -> None:
        self._url, self._tokens, self._rng = url, tokens, Random(seed)
        self._stack = AsyncExitStack()
        self.members: list[Member] = []
        self._reporting: asyncio.Task[int] | None = None

    async def __aenter__(self) -> Self:
        doors = asyncio.Semaphore(JOINING_AT_ONCE)

        async def join(number: int, token: str) -> Member:
            async with doors:
                return await self._join(number, token)

        try:
            self.members = list(await asyncio.gather(*(join(*each) for each in enumerate(self._tokens))))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
        ends = [member.reading for member in self.members]
        faults = [task.exception() for task in ends if task.done() and not task.cancelled()]
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        await self._stack.aclose()
        if error is None and (fault := next((each for each in faults if each), None)):
            raise fault

    async def _join(self, number: int, token: str) -> Member:
        name = f"bench-{number:03d}"
        socket = await self._stack.enter_async_context(
            connect(
                link_url(self._url), additional_headers={"Authorization": wire.enrol_bearer(token)},
                compression=None, proxy=None, ping_interval=None, open_timeout=30,
            )
        )  # fmt: skip
        labels = {"zone": "abc"[number % 3], "rack": f"r{number % 12}"}
        address = f"127.0.{number // 250 + 1}.{number % 250 + 1}"
        hello = wire.Hello(wire.PROTOCOL, "bench", name, address, labels, CAPACITY, wire.digest(f"of {name}"))
        await socket.send(wire.encode(hello))
        welcome = wire.decode_downward(await socket.recv(decode=False))
        if not isinstance(welcome, wire.Welcome):
            raise Refused(f"{name} was not welcomed: {welcome}")
        return Member(name, socket, self._rng)

    async def report_for(self, seconds: float, each_per_s: float) -> int:
        """Every agent reports so often for so long; returns how many reports were sent."""
        clock = asyncio.get_running_loop().time
        gap_s = 1.0 / (each_per_s * len(self.members))
        began, sent = clock(), 0
        while (passed := clock() - began) < seconds:
            while sent * gap_s <= passed:
                await self.members[sent % len(self.members)].report()
                sent += 1
            await asyncio.sleep(max(TURN_S, began + sent * gap_s - clock()))
        return sent

    def report_always(self, each_per_s: float) -> None:
        """From now on until the block ends."""
        self._reporting = asyncio.create_task(self.report_for(86_400.0, each_per_s))
