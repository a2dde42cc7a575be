"""The outbox relay: from rows of the database to messages in the queues of the chosen hosts."""

from __future__ import annotations

import uuid
from typing import Any

from celery import shared_task
from django.utils import timezone

from clients.celery import ATTEMPT_HEADER, queue_of
from console.celery import app
from console.events.models import Outbox
from console.jobs.actions.attempt import mark_dispatched
from console.jobs.actions.ending import STOP
from console.jobs.actions.place import DISPATCH
from console.jobs.models import Job

BATCH = 500


@shared_task(name="steelyard.relay_outbox", expires=30)
def relay_outbox() -> int:
    """Send what is owed, oldest first, and mark it sent.

    Two relays at once, or a crash between sending and marking, send a message twice;
    the worker's claim makes that harmless. Returns how many were sent.
    """
    sent = 0
    for row in Outbox.objects.filter(sent_at=None, topic__in=(DISPATCH, STOP)).order_by("id")[:BATCH]:
        job, attempt = uuid.UUID(row.payload["job"]), row.payload["attempt"]
        if row.topic == STOP:
            # The attempt is over for the control plane; a worker that does not hear this ends it in vain.
            app.control.revoke(str(job), terminate=True)
        else:
            _send(job, attempt)
        Outbox.objects.filter(pk=row.pk).update(sent_at=timezone.now())
        sent += 1
    return sent


def _send(job_id: uuid.UUID, attempt: int) -> None:
    """One attempt's Celery message, to the queue of its host. An attempt that is over is owed nothing."""
    job = Job.objects.select_related("placement__host").filter(pk=job_id, attempt=attempt).first()
    if job is None or job.placement is None or job.state not in (Job.State.PLACED, Job.State.DISPATCHED):
        return
    headers, properties, body, _ = app.amqp.as_task_v2(
        str(job.pk), job.task, job.args, job.kwargs, ignore_result=False
    )
    kept: dict[str, Any] = job.message or {}
    # What the application's own message said: callbacks, chains, chords, time limits, where its result goes.
    headers = {**headers, **kept.get("headers", {}), ATTEMPT_HEADER: attempt}
    properties = {**properties, **kept.get("properties", {})}
    body = (job.args, job.kwargs, {**body[2], **kept.get("embed", {})})
    with app.producer_or_acquire() as producer:
        app.amqp.send_task_message(
            producer,
            job.task,
            (headers, properties, body, None),
            queue=queue_of(job.placement.host.name),
            serializer="json",
        )
    mark_dispatched(job.pk, attempt)
