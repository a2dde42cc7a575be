"""The outbox relay: from rows of the database to messages in the queues of the chosen hosts."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from celery import shared_task
from django.utils import timezone

from clients.celery import ATTEMPT_HEADER, JOB_HEADER, queue_of
from console.celery import app
from console.events.models import Outbox
from console.jobs.actions.attempt import mark_dispatched
from console.jobs.actions.ending import STOP
from console.jobs.actions.place import DISPATCH
from console.jobs.models import Job
from console.turns import writing

#: Messages sent before they are marked as sent, in one transaction: syncing each to disk would take most of the time.
BATCH = 50
#: What of a message's properties goes on: who waits for its result.
PROPERTIES = ("correlation_id", "reply_to")
#: Batches of one call, so that it ends.
MOST_BATCHES = 40

_relaying = threading.Lock()
#: Somebody asked since the relay of this process last began to look.
_asked = threading.Event()


@shared_task(name="steelyard.relay_outbox", expires=30)
def relay_outbox() -> int:
    """Send what is owed, oldest first, and mark it sent.

    Two relays at once, or a crash between sending and marking, send a message twice; the worker's claim makes that
    harmless. In one process one relays, and looks again where it was asked meanwhile. Returns how many were sent.
    """
    sent = 0
    _asked.set()
    while _asked.is_set() and _relaying.acquire(blocking=False):
        try:
            _asked.clear()
            sent += _send_owed()
        finally:
            _relaying.release()
    return sent


def _send_owed() -> int:
    sent = 0
    for _ in range(MOST_BATCHES):
        owed = Outbox.objects.filter(sent_at=None, topic__in=(DISPATCH, STOP)).order_by("id")
        rows = list(owed[:BATCH])
        _relay(rows)
        sent += len(rows)
        if len(rows) < BATCH:
            break
    return sent


def _relay(rows: list[Outbox]) -> None:
    """Send these messages, then mark them."""
    attempts = [(uuid.UUID(row.payload["job"]), row.payload["attempt"], row.topic) for row in rows]
    jobs = Job.objects.select_related("placement__host").in_bulk({job for job, _, _ in attempts})
    sent = []
    with app.producer_or_acquire() as producer:
        for job, attempt, topic in attempts:
            if topic == STOP:
                # The attempt is over for the control plane; a worker that does not hear this ends it in vain.
                app.control.revoke(str(job), terminate=True)
            elif job in jobs and _send(producer, jobs[job], attempt):
                sent.append((job, attempt))
    with writing():
        mark_dispatched(sent)
        Outbox.objects.filter(pk__in=[row.pk for row in rows]).update(sent_at=timezone.now())


def _send(producer: Any, job: Job, attempt: int) -> bool:
    """One attempt's Celery message, to the queue of its host. False for an attempt that is over: it is owed nothing."""
    waits = (Job.State.PLACED, Job.State.DISPATCHED)
    if job.attempt != attempt or job.placement is None or job.state not in waits:
        return False
    headers, properties, body, _ = app.amqp.as_task_v2(
        str(job.pk), job.task, job.args, job.kwargs, ignore_result=False
    )
    kept: dict[str, Any] = job.message or {}
    # What the application's own message said: callbacks, chains, chords, time limits, where its result goes.
    ours = {"id": str(job.pk), "task": job.task, JOB_HEADER: str(job.pk), ATTEMPT_HEADER: attempt}
    headers = {**headers, **kept.get("headers", {}), **ours}
    said = kept.get("properties", {})
    properties |= {name: said[name] for name in PROPERTIES if isinstance(said.get(name), str)}
    body = (job.args, job.kwargs, {**body[2], **kept.get("embed", {})})
    app.amqp.send_task_message(
        producer,
        job.task,
        (headers, properties, body, None),
        queue=queue_of(job.placement.host.name),
        serializer="json",
    )
    return True
