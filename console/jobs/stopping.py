"""Ending the body of one attempt of a job that goes on, or has ended, as another attempt."""

from __future__ import annotations

import uuid

from console.events.models import Outbox

#: Outbox topic; the payload is the arguments of the workers' remote command (clients.stopping), and
#: the host where an agent runs it.
STOP_ATTEMPT = "job.stop-attempt"


def owe_stop(job: uuid.UUID, attempt: int, agent_of: str = "") -> None:
    """Inside the caller's transaction. Where the stop is lost, the body ends in vain.

    agent_of: the host whose agent runs the body, as a process; by the time of the stop the job may be elsewhere.
    """
    payload = {"job": str(job), "attempt": attempt}
    Outbox.objects.create(topic=STOP_ATTEMPT, payload=payload | ({"host": agent_of} if agent_of else {}))
