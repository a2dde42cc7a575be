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
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from distributed import Client, Future, Scheduler

from bench.jobs import bodies
from bench.jobs.piece import Piece
from bench.rack.rack import Host, Rack

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 120.0


Submit = Callable[[str, Sequence[tuple[int, Piece]]], None]


@asynccontextmanager
async def dask_side(rack: Rack, folder: Path, broker: str, processes: int) -> AsyncIterator[Submit]:
    """Scheduler and workers, while the block runs; what hands pieces in, each as a task of its own, from any thread."""
    # It tells of every worker that comes and goes.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    futures: list[Future[None]] = []
    async with AsyncExitStack() as stack:
        scheduler = await stack.enter_async_context(Scheduler(host=rack.gateway, port=0, dashboard=False))
        workers = []
        for host in rack:
            worker = await _start(host, scheduler.address, folder / host.name, broker, processes)
            stack.push_async_callback(host.kill, worker)
            workers.append((host, worker))
        # Connecting waits for the scheduler, which lives on this loop.
        client = await asyncio.to_thread(Client, scheduler.address)
        stack.push_async_callback(asyncio.to_thread, client.close)
        await asyncio.to_thread(client.wait_for_workers, processes * len(workers), START_S)
        for host, worker in workers:
            await host.adopt(worker.pid)

        def submit(run: str, batch: Sequence[tuple[int, Piece]]) -> None:
            # A task whose future nobody holds is not run.
            futures.extend(
                client.submit(bodies.work, *piece.arguments(run, number), key=f"{run}-{number}", pure=False)
                for number, piece in batch
            )

        yield submit


async def _start(host: Host, scheduler: str, own: Path, broker: str, processes: int) -> Process:
    return await host.start(
        [
            sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--host", host.address, "--name",
            host.name, "--nworkers", str(processes), "--nthreads", "1", "--memory-limit", "0", "--no-dashboard",
            "--local-directory", str(own),
        ],
        env={"REDIS_URL": broker}, log=own / "dask.log", cwd=ROOT, limited=False,
    )  # fmt: skip
