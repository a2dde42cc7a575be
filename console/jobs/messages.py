"""What a host's worker is told of an attempt: a message as Celery itself would have made it."""

from __future__ import annotations

import json
from typing import Any

from agents.groups import RESOURCES
from clients.celery import ATTEMPT_HEADER, JOB_HEADER, LIMITS_HEADER
from console.celery import app
from console.jobs.broker import Message
from console.jobs.models import Job

#: What of a message's properties goes on: who waits for its result.
PROPERTIES = ("correlation_id", "reply_to")


def message_of(job: Job, attempt: int, queue: str) -> Message:
    """The message of one attempt of a job."""
    headers, properties, (_, _, embed), _ = app.amqp.as_task_v2(
        str(job.pk), job.task, job.args, job.kwargs, ignore_result=False
    )
    kept: dict[str, Any] = job.message or {}
    # What the application's own message said: callbacks, chains, chords, time limits, where its result goes.
    ours = {
        "id": str(job.pk), "task": job.task, JOB_HEADER: str(job.pk), ATTEMPT_HEADER: attempt,
        LIMITS_HEADER: limits_of(job),
    }  # fmt: skip
    said = {**properties, **kept.get("properties", {})}
    body = json.dumps([job.args, job.kwargs, {**embed, **kept.get("embed", {})}])
    return Message(
        queue=queue,
        headers={**headers, **kept.get("headers", {}), **ours},
        properties={name: said[name] for name in PROPERTIES if isinstance(said.get(name), str)},
        body=body.encode(),
    )


def limits_of(job: Job) -> dict[str, float]:
    """What bounds the job's body: what it says itself. What was learned is what one in twenty runs exceeds."""
    return {} if job.learned else {name: job.demand[name] for name in RESOURCES if name in job.demand}
