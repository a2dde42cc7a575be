"""Workers' questions about jobs, of all agents that this process serves: what comes while a transaction is under way
is taken together in the next one, whoever said it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from agents.wire import JobEvent
from console.actions import Actor
from console.jobs.actions.attempt import take_job_events
from console.live.threads import in_thread

#: In one transaction, so that nobody waits long for it.
MOST_TOGETHER = 100


class Answering:
    """Asked on one event loop."""

    def __init__(self) -> None:
        self._asked: deque[tuple[Actor, JobEvent, asyncio.Future[str]]] = deque()
        self._taking: asyncio.Task[None] | None = None

    async def ask(self, actor: Actor, event: JobEvent) -> str:
        """ "" where it was accepted, or why not; it is durable then. Raises what keeps it from being taken at all."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked.append((actor, event, answer))
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        return await answer

    async def _take(self) -> None:
        try:
            while self._asked:
                asked = [self._asked.popleft() for _ in range(min(len(self._asked), MOST_TOGETHER))]
                answers = await _taken([(actor, event) for actor, event, _ in asked])
                for (_, _, future), answer in zip(asked, answers, strict=True):
                    if future.done():
                        continue  # its connection has gone meanwhile; the agent asks again
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._taking = None


async def _taken(said: Sequence[tuple[Actor, JobEvent]]) -> Sequence[str | Exception]:
    try:
        return await in_thread(take_job_events, said)
    except Exception as error:  # each who asked is told
        return [error] * len(said)


answering = Answering()
