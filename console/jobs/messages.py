"""Celery's messages as Kombu keeps them in Redis, put into the queues of hosts many at a time.

Sent through Celery each would be a question to the broker of its own, after several of what the queue is bound to: five
times the work. A real worker reads them in the tests.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import redis
from django.conf import settings

from clients.celery import ATTEMPT_HEADER, JOB_HEADER
from console.celery import app
from console.jobs.models import Job

#: What of a message's properties goes on: who waits for its result.
PROPERTIES = ("correlation_id", "reply_to")
TIMEOUT_S = 5.0
_PERSISTENT = 2

_client: redis.Redis | None = None


def message_of(job: Job, attempt: int, queue: str) -> bytes:
    """The message of one attempt of a job."""
    headers, properties, (_, _, embed), _ = app.amqp.as_task_v2(
        str(job.pk), job.task, job.args, job.kwargs, ignore_result=False
    )
    kept: dict[str, Any] = job.message or {}
    # What the application's own message said: callbacks, chains, chords, time limits, where its result goes.
    ours = {"id": str(job.pk), "task": job.task, JOB_HEADER: str(job.pk), ATTEMPT_HEADER: attempt}
    said = kept.get("properties", {})
    body = json.dumps([job.args, job.kwargs, {**embed, **kept.get("embed", {})}])
    message = {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {**headers, **kept.get("headers", {}), **ours},
        "properties": {
            **properties,
            **{name: said[name] for name in PROPERTIES if isinstance(said.get(name), str)},
            "delivery_mode": _PERSISTENT,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_tag": str(uuid.uuid4()),
            "body_encoding": "base64",
            "priority": 0,
        },
    }
    return json.dumps(message).encode()


def put(messages: Mapping[str, Sequence[bytes]]) -> dict[str, Exception]:
    """Put messages into queues, in their order. Returns why, for those queues that took none of theirs. Raises
    redis.ConnectionError and redis.TimeoutError where the broker is away: then nobody knows what was put."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
    with _client.pipeline(transaction=False) as pipe:
        for queue, bodies in messages.items():
            pipe.lpush(queue, *bodies)
        answers = pipe.execute(raise_on_error=False)
    return {
        queue: answer
        for queue, answer in zip(messages, answers, strict=True)
        if isinstance(answer, Exception)
    }
