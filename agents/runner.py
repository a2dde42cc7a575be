"""The workers of this host, on a unix socket: they claim jobs and say how these ended; the agent relays.

The connection on which a job was claimed is the claim's lease, and while it is open the agent renews it at
the control plane. When it closes before an end was accepted, the worker's process is gone, and the agent says
"lost" in its place.
A claim that another live connection holds is refused here: the control plane sees one host and could not
tell a duplicate delivery from a renewal.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, Protocol

from agents.bodies import Bodies
from agents.wire import JobAnswer
from agents.worker_socket import Line, Said, bind_private

MAX_WORKERS = 256
#: Which fields an event has: those of wire.JobEvent.
_FIELDS = {
    "claim": (), "report": ("share", "note", "lines"), "succeeded": ("result", "used"), "failed": ("error",),
}  # fmt: skip
MAX_CLAIMS_PER_WORKER = 64
#: Between two renewals of a claim: a third of the lease, so that one lost renewal costs nothing.
RENEW_S = 10.0


class Ask(Protocol):
    """Link.ask: puts a job event to the control plane, and gives its answer."""

    def __call__(self, job: str, attempt: int, event: str, **said: Any) -> Awaitable[JobAnswer]: ...


Lease = tuple[str, int]


class Runner:
    """Serves the socket at `path` (0600: only the agent's own user may run its jobs). bodies: whom it bounds."""

    def __init__(self, path: Path, ask: Ask, bodies: Bodies, renew_s: float = RENEW_S) -> None:
        self._path = path
        self._ask = ask
        self._bodies = bodies
        self._renew_s = renew_s
        #: (job, attempt) to the worker that holds it.
        self._leases: dict[Lease, Line] = {}
        self._workers: set[Line] = set()
        self._closing = False
        self._losses: set[asyncio.Future[JobAnswer]] = set()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        """Serve while the block runs."""
        listener = bind_private(self._path)
        server = await asyncio.get_running_loop().create_unix_server(lambda: Line(self), sock=listener)
        renewing = asyncio.create_task(self._keep_renewing())
        try:
            yield
        finally:
            # An agent that stops says nothing about its workers: they live on and come back to the next one.
            self._closing = True
            server.close()
            for worker in self._workers:
                worker.close()
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            self._path.unlink(missing_ok=True)

    def opened(self, worker: Line) -> bool:
        """Whether one more may come."""
        self._workers.add(worker)
        self._bodies.opened(worker.pid)
        return len(self._workers) <= MAX_WORKERS

    def closed(self, worker: Line) -> None:
        """Say "lost" for what it still held; nobody waits for the answers."""
        self._workers.remove(worker)
        if not self._closing:
            self._mourn(worker)
        self._bodies.closed(worker.pid)

    def asked(self, worker: Line, said: Said) -> None:
        """Relay what a worker says, and answer it once the control plane has answered."""
        lease = (said.job, said.attempt)
        if said.event == "claim":
            if self._leases.get(lease, worker) is not worker:
                worker.answer(False, "another worker on this host has claimed it")
                return
            if sum(holder is worker for holder in self._leases.values()) >= MAX_CLAIMS_PER_WORKER:
                worker.answer(False, f"one worker holds at most {MAX_CLAIMS_PER_WORKER} claims")
                return
            # Held while the question is open, so that a duplicate cannot slip in between.
            self._leases[lease] = worker
        more = {name: getattr(said, name) for name in _FIELDS[said.event]}
        try:
            asked = asyncio.ensure_future(self._ask(*lease, said.event, **more))
        except OverflowError as error:
            worker.answer(False, f"this can't be said to the control plane: {error}")
            return
        asked.add_done_callback(functools.partial(self._answered, worker, said))

    def _answered(self, worker: Line, said: Said, asked: asyncio.Future[JobAnswer]) -> None:
        if asked.cancelled():
            # The agent stops.
            return
        answer, lease = asked.result(), (said.job, said.attempt)
        claiming, ends = said.event == "claim", said.event in ("succeeded", "failed")
        if (claiming and not answer.accepted) or (ends and answer.accepted):
            self._leases.pop(lease, None)
        if claiming and answer.accepted:
            self._bodies.begin(worker.pid, lease, said.limits)
        elif ends:
            self._bodies.end(worker.pid, lease)
        worker.answer(answer.accepted, answer.reason)

    async def _keep_renewing(self) -> None:
        """Renew what is claimed, for ever. A round waits for its answers, so that an absent control plane is
        asked once, not once a round."""
        while True:
            await asyncio.sleep(self._renew_s)
            await asyncio.gather(*(self._renew(*held) for held in list(self._leases.items())))

    async def _renew(self, lease: Lease, holder: Line) -> None:
        # A claim that is still being asked for is renewed too: its own answer comes first.
        answer = await self._ask(*lease, "renew")
        if not answer.accepted and self._leases.get(lease) is holder:
            # The attempt was given up. Its worker hears of it when it reports its end.
            del self._leases[lease]

    def _mourn(self, worker: Line) -> None:
        for lease in [lease for lease, holder in self._leases.items() if holder is worker]:
            del self._leases[lease]
            why = self._bodies.died_of(worker.pid, lease)
            error = "the worker's process is gone" + (why and f": {why}")
            lost = asyncio.ensure_future(self._ask(*lease, "lost", error=error))
            self._losses.add(lost)
            lost.add_done_callback(self._losses.discard)
