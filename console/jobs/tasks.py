"""The outbox relay: from rows of the database to messages in the queues of the chosen hosts."""

from __future__ import annotations

import uuid

from celery import shared_task
from django.utils import timezone

from console.celery import app
from console.events.models import Outbox
from console.jobs.actions.attempt import mark_dispatched
from console.jobs.actions.submit import DISPATCH
from console.jobs.models import Job

BATCH = 500


@shared_task(name="steelyard.relay_outbox", expires=30)
def relay_outbox() -> int:
    """Send what is owed, oldest first, and mark it sent.

    Two relays at once, or a crash between sending and marking, send a message twice;
    the worker's claim makes that harmless. Returns how many were sent.
    """
    sent = 0
    for row in Outbox.objects.filter(sent_at=None, topic=DISPATCH).order_by("id")[:BATCH]:
        _send(uuid.UUID(row.payload["job"]), row.payload["attempt"])
        Outbox.objects.filter(pk=row.pk).update(sent_at=timezone.now())
        sent += 1
    return sent


def _send(job_id: uuid.UUID, attempt: int) -> None:
    """One attempt's Celery message, to the queue of its host. An attempt that is over is owed nothing."""
    job = Job.objects.select_related("placement__host").filter(pk=job_id, attempt=attempt).first()
    if job is None or job.placement is None or job.state not in (Job.State.PLACED, Job.State.DISPATCHED):
        return
    app.send_task(
        job.task,
        args=job.args,
        kwargs=job.kwargs,
        task_id=str(job.pk),
        queue=f"host.{job.placement.host.name}",
        headers={"steelyard_attempt": attempt},
    )
    mark_dispatched(job.pk, attempt)
