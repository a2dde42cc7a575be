"""Ending the body of one attempt of a job that goes on, or has ended, as another attempt."""

from __future__ import annotations

import uuid

from console.events.models import Outbox

#: Outbox topic; the payload is the arguments of the workers' remote command (clients.stopping).
STOP_ATTEMPT = "job.stop-attempt"


def owe_stop(job: uuid.UUID, attempt: int) -> None:
    """Inside the caller's transaction. Where the stop is lost, the body ends in vain."""
    Outbox.objects.create(topic=STOP_ATTEMPT, payload={"job": str(job), "attempt": attempt})
