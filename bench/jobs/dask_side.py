"""Dask distributed on the hosts: a scheduler beside the control plane, and as many workers a host as Celery's has
processes, of one thread each.

They run only while it is their turn, so that nobody else's is measured beside them. As Celery's they start outside the
limits and come under them once they are ready, so that what they hold before the first job does not count. They have no
limit of memory of their own, for theirs would be of all that they hold.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from distributed import Client, Scheduler

from bench.jobs import bodies
from bench.jobs.piece import Piece
from bench.rack.rack import Host, Rack

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 120.0


class DaskSide:
    """An async context manager. submit(run, batch) hands pieces in, from any thread."""

    def __init__(self, rack: Rack, folder: Path, broker: str, processes: int) -> None:
        self._rack, self._folder, self._broker, self._processes = rack, folder, broker, processes
        self._stack = AsyncExitStack()
        self._futures: list[Any] = []

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
        self._futures.clear()
        await self._stack.aclose()

    async def _enter(self) -> None:
        # It tells of every worker that comes and goes.
        logging.getLogger("distributed").setLevel(logging.ERROR)
        await self._stack.enter_async_context(
            scheduler := Scheduler(host=self._rack.gateway, port=0, dashboard=False)
        )
        workers = await asyncio.gather(*(self._start(host, scheduler.address) for host in self._rack))
        # Connecting waits for the scheduler, which lives on this loop.
        self._client = await asyncio.to_thread(Client, scheduler.address)
        self._stack.push_async_callback(asyncio.to_thread, self._client.close)
        count = self._processes * len(workers)
        await asyncio.to_thread(self._client.wait_for_workers, count, START_S)
        for host, worker in zip(self._rack, workers, strict=True):
            await host.adopt(worker.pid)

    async def _start(self, host: Host, scheduler: str) -> Process:
        worker = await host.start(
            [
                sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--host", host.address, "--name",
                host.name, "--nworkers", str(self._processes), "--nthreads", "1", "--memory-limit", "0",
                "--no-dashboard", "--local-directory", str(self._folder / host.name),
            ],
            env={"REDIS_URL": self._broker}, log=self._folder / host.name / "dask.log", cwd=ROOT, limited=False,
        )  # fmt: skip
        self._stack.push_async_callback(host.kill, worker)
        return worker

    def submit(self, run: str, batch: Sequence[tuple[int, Piece]]) -> None:
        """Hand pieces in, each as a task of its own."""
        self._futures += [
            self._client.submit(bodies.work, *piece.arguments(run, number), key=f"{run}-{number}", pure=False)
            for number, piece in batch
        ]
