"""The outbox relay: from rows of the database to messages in the queues of the chosen hosts."""

from __future__ import annotations

import logging
import random
import threading
import uuid
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from clients.celery import ATTEMPT_HEADER, JOB_HEADER, queue_of
from console.actions import text
from console.celery import app
from console.events.models import Outbox
from console.jobs.actions.attempt import mark_dispatched
from console.jobs.actions.ending import STOP
from console.jobs.actions.place import DISPATCH
from console.jobs.models import Job
from console.jobs.retries import wait_s
from console.rows import change
from console.turns import writing

log = logging.getLogger(__name__)

#: Messages sent before they are marked as sent, in one transaction: syncing each to disk would take most of the time.
BATCH = 200
#: A message that can't be sent is tried again after so long, then twice as long each time.
ASIDE_S = 5.0
#: What of a message's properties goes on: who waits for its result.
PROPERTIES = ("correlation_id", "reply_to")
#: Batches of one call, so that it ends.
MOST_BATCHES = 10

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
        owed = Outbox.objects.filter(sent_at=None, topic__in=(DISPATCH, STOP))
        due = owed.filter(Q(not_before=None) | Q(not_before__lte=timezone.now())).order_by("id")
        rows = list(due[:BATCH])
        sent += _relay(rows)
        if len(rows) < BATCH:
            break
    return sent


def _relay(rows: list[Outbox]) -> int:
    """Send these messages, then mark them; how many were sent. One that can't be sent is put aside. Raises what the
    broker's client raises where the broker is away: then nothing is marked."""
    if not rows:
        return 0
    attempts = [(row, uuid.UUID(row.payload["job"]), row.payload["attempt"]) for row in rows]
    jobs = Job.objects.select_related("placement__host").in_bulk({job for _, job, _ in attempts})
    sent, aside = [], []
    with app.producer_or_acquire() as producer:
        away = (OSError, OperationalError, *producer.connection.connection_errors)
        for row, job, attempt in attempts:
            try:
                if row.topic == STOP:
                    # The attempt is over for the control plane; a worker that does not hear this ends it in vain.
                    app.control.revoke(str(job), terminate=True)
                elif job in jobs and _send(producer, jobs[job], attempt):
                    sent.append((job, attempt))
            except away:
                raise
            except Exception as error:
                log.exception("the message of job %s can't be sent", job)
                aside.append(_put_aside(row, error))
    with writing():
        mark_dispatched(sent)
        change(aside, "tries", "error", "not_before")
        for row in aside:
            waits = f"Its message can't be sent: {row.error}"
            Job.objects.filter(pk=row.payload["job"], state=Job.State.PLACED).update(waiting_for=waits)
        done = {row.pk for row in rows} - {row.pk for row in aside}
        Outbox.objects.filter(pk__in=done).update(sent_at=timezone.now())
    return len(done)


def _put_aside(row: Outbox, error: Exception) -> Outbox:
    row.tries += 1
    row.error = text(f"{type(error).__name__}: {error}", 500)
    row.not_before = timezone.now() + timedelta(seconds=wait_s(ASIDE_S, row.tries, random.random()))
    return row


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
    said = kept.get("properties", {})
    properties |= {name: said[name] for name in PROPERTIES if isinstance(said.get(name), str)}
    # To the queue itself: an exchange of ours before it would be asked for its queues at each message.
    producer.publish(
        (job.args, job.kwargs, {**body[2], **kept.get("embed", {})}),
        exchange="",
        routing_key=queue_of(job.placement.host.name),
        serializer="json",
        headers={**headers, **kept.get("headers", {}), **ours},
        retry=True,
        retry_policy=app.conf.task_publish_retry_policy,
        **properties,
    )
    return True
