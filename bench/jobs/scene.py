"""Hosts with workers that take jobs from us and from a shared queue, and running the same jobs through us, through it
or through Dask."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import redis.asyncio as redis
from celery import Celery

from bench.jobs.dask_side import dask_side
from bench.jobs.piece import MIB, Piece
from bench.joining import join
from bench.machine import cpu_s
from bench.plane import ControlPlane
from bench.rack.rack import Host, HostSpec, Rack
from bench.rack.specs import fit_cores
from bench.traffic.stage import PORT, serve, until_serving
from clients.rest import Steelyard
from console.supervisor.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SHARED = "bench.shared"
START_S = 120.0
PAUSE_S = 0.05

#: Unequal hosts: small ones with little memory beside large ones. What agent and worker hold since before they came
#: under a host's limits does not count there.
SPECS = [
    HostSpec("jobs-1", 0.50, 448 * MIB, 25e6),
    HostSpec("jobs-2", 0.30, 352 * MIB, 25e6),
    HostSpec("jobs-3", 0.16, 288 * MIB, 25e6),
    HostSpec("jobs-4", 0.12, 256 * MIB, 25e6),
]
PROCESSES = 2


@dataclass(frozen=True)
class Run:
    """What came of one run. ended: when each piece ended, after its arrival (s); None for one that was killed.
    killed: bodies that began and never ended."""

    seconds: float
    took: list[float | None]
    killed: int
    control_cpu_s: float


def ended_per_s(run: Run) -> float:
    """How many ended a second."""
    return sum(each is not None for each in run.took) / run.seconds


class Scene:
    """A control plane and a rack of hosts, each with an agent and one Celery worker on both queues.

    serves: each host has a server too, under the same limits, and url(path) is a service of all of them, through our
    Envoy.
    """

    def __init__(self, *, serves: bool = False) -> None:
        self._serves = serves
        self._servers: dict[str, int] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._enter()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _enter(self) -> None:
        rack = await self._stack.enter_async_context(Rack(fit_cores(SPECS), prefix="jobs"))
        self._rack = rack
        self.kind, self.reason = rack.kind, rack.reason
        settings = {"STEELYARD_BROKER_LISTEN": f"{rack.gateway}:0"}
        self.plane = await self._stack.enter_async_context(ControlPlane(rack.gateway, **settings))
        self._broker = self.plane.place.broker_url.read_text()
        self._seen = redis.Redis.from_url(self._broker)
        self._stack.push_async_callback(self._seen.aclose)
        self._client = self._stack.enter_context(Steelyard(self.plane.url, self.plane.token, timeout_s=60))
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="steelyard-jobs-")))
        self._folder = folder
        # As many as each worker has: what finds none free waits for the first host that has, and behind no other body.
        # Where nothing else is on the hosts, cpu is left to whoever can use it.
        limits = "cpu,memory" if self._serves else "memory"
        options = ("--capacity", f"processes={PROCESSES}", "--job-limits", limits)
        agents = await join(self._client, list(rack), folder, lambda _: options)
        await asyncio.gather(*(self._furnish(host, folder / host.name) for host in rack))
        for host, agent in zip(rack, agents, strict=True):
            await host.adopt(agent.pid)
        if self._serves:
            await self._open(rack, folder)
        self._app = Celery("bench-sender", broker=self._broker)
        self._app.conf.update(task_serializer="json", task_ignore_result=True)
        self._stack.callback(self._app.close)

    async def _furnish(self, host: Host, own: Path) -> None:
        """A worker, which starts outside the limits and comes under them once it is ready, as all on the host does."""
        worker = await host.start(
            [
                sys.executable, "-m", "celery", "-A", "bench.jobs.tasks", "worker", "-P", "prefork", "-c",
                str(PROCESSES), "-Q", f"host.{host.name},{SHARED}", "-n", f"worker@{host.name}", "--without-gossip",
                "--without-mingle", "--without-heartbeat", "-l", "WARNING",
            ],
            env={"REDIS_URL": self._broker, "STEELYARD_AGENT_SOCKET": str(own / "worker.sock")},
            log=own / "worker.log", cwd=ROOT, limited=False, ready="ready", ready_timeout_s=START_S,
        )  # fmt: skip
        await host.adopt(worker.pid)

    async def _open(self, rack: Rack, folder: Path) -> None:
        """A server on each host, and a service that has them all."""
        for host in rack:
            server = await serve(host, folder)
            await host.adopt(server.pid)
            self._servers[host.name] = server.pid
        self._door = (rack.gateway, free_port(rack.gateway))
        service = {
            "name": "work", "protocol": "http", "listen": f"{rack.gateway}:{self._door[1]}",
            "endpoints": [f"{host.name}:{PORT}" for host in rack],
        }  # fmt: skip
        await asyncio.to_thread(self._client.create_service, service)
        await until_serving(*self._door)

    def url(self, path: str) -> str:
        """A path of the service."""
        address, port = self._door
        return f"http://{address}:{port}{path}"

    def spent(self) -> dict[str, float]:
        """Cpu seconds of each host's server so far."""
        return {name: cpu_s(pid) for name, pid in self._servers.items()}

    async def ours(self, pieces: Sequence[Piece], patience_s: float) -> Run:
        """Hand the pieces in as jobs, those that come at the same moment in one call."""
        return await self._go(pieces, patience_s, self._hand_in)

    async def shared(self, pieces: Sequence[Piece], patience_s: float) -> Run:
        """Publish the pieces to the queue that all workers share."""
        return await self._go(pieces, patience_s, self._publish)

    async def dask(self, pieces: Sequence[Piece], patience_s: float) -> Run:
        """Submit the pieces to Dask distributed, whose workers are on the hosts for this run."""
        async with dask_side(self._rack, self._folder, self._broker, PROCESSES) as submit:
            return await self._go(pieces, patience_s, submit)

    def _hand_in(self, run: str, batch: Sequence[tuple[int, Piece]]) -> None:
        jobs = [
            {
                "task": "bench.work",
                "args": piece.arguments(run, number),
                "demand": piece.demand(),
                "tenant": piece.tenant,
            }
            for number, piece in batch
        ]
        for start in range(0, len(jobs), 500):
            self._client.post("jobs/many/", {"jobs": jobs[start : start + 500]})

    def _publish(self, run: str, batch: Sequence[tuple[int, Piece]]) -> None:
        with self._app.producer_or_acquire() as producer:
            for number, piece in batch:
                arguments = piece.arguments(run, number)
                self._app.send_task("bench.work", arguments, queue=SHARED, producer=producer)

    async def _go(self, pieces: Sequence[Piece], patience_s: float, send: Any) -> Run:
        run = f"bench.{uuid.uuid4().hex}"
        control = [pid for role, pid in self.plane.pids().items() if role in ("web", "controller", "worker")]
        cpu_before = sum(map(cpu_s, control))
        began, began_wall = time.monotonic(), time.time()
        left = sorted(enumerate(pieces), key=lambda each: each[1].at_s)
        while left:
            now = time.monotonic() - began
            due = [each for each in left if each[1].at_s <= now]
            if due:
                await asyncio.to_thread(send, run, due)
                left = left[len(due) :]
            else:
                await asyncio.sleep(min(left[0][1].at_s - now, PAUSE_S))
        ends, begun = await self._until_over(run, len(pieces), patience_s)
        control_cpu_s = sum(map(cpu_s, control)) - cpu_before
        took = [
            ends[number] - began_wall - piece.at_s if number in ends else None
            for number, piece in enumerate(pieces)
        ]
        last = max(ends.values(), default=began_wall) - began_wall
        return Run(last, took, sum(count for count in begun.values()) - len(ends), control_cpu_s)

    async def _until_over(
        self, run: str, count: int, patience_s: float
    ) -> tuple[dict[int, float], dict[int, int]]:
        """When each piece ended, and how often each was begun; once all ended, or nothing ended for patience_s."""
        ends: dict[int, float] = {}
        begun: dict[int, int] = {}
        read, heard_at = 0, time.monotonic()
        while len(ends) < count and time.monotonic() - heard_at < patience_s:
            for line in await self._seen.lrange(run, read, -1):
                read, heard_at = read + 1, time.monotonic()
                said = json.loads(line)
                if said["what"] == "ended":
                    ends.setdefault(said["number"], said["at"])
                else:
                    begun[said["number"]] = begun.get(said["number"], 0) + 1
            await asyncio.sleep(PAUSE_S)
        return ends, begun
