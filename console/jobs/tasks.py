"""The outbox relay: from rows of the database to messages in the queues of the chosen hosts, and commands to agents."""

from __future__ import annotations

import logging
import random
import threading
import uuid
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from agents.templates import WrongTemplate
from clients.celery import queue_of
from console.actions import Unknown, text
from console.events.models import Outbox
from console.fleet.models import Host
from console.jobs.actions.attempt import mark_dispatched, tell_unsent
from console.jobs.actions.ending import STOP
from console.jobs.actions.place import DISPATCH
from console.jobs.broker import Message, workers_broker
from console.jobs.messages import message_of
from console.jobs.models import Job
from console.jobs.retries import wait_s
from console.jobs.runs import give_all, run_of
from console.live.bells import ring_commands
from console.pages.lists import uuid_of
from console.rows import change
from console.turns import writing

log = logging.getLogger(__name__)

#: Messages sent before they are marked as sent, in one transaction: syncing each to disk would take most of the time.
BATCH = 200
#: A message that can't be sent is tried again after so long, then twice as long each time.
ASIDE_S = 5.0
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
    """Send these messages, then mark them; how many were sent. One that can't be sent is put aside. Raises
    OperationalError where the workers' broker is away: then none of theirs is marked."""
    jobs = Job.objects.select_related("placement__host").in_bulk(_jobs_of(rows))
    runs = {row.pk: job for row in rows if (job := jobs.get(_job_of(row))) is not None and job.template}
    # Agents first: they need no broker.
    told = _tell_agents([(row, runs[row.pk]) for row in rows if row.pk in runs])
    return told + _send([row for row in rows if row.pk not in runs], jobs)


def _tell_agents(owed: list[tuple[Outbox, Job]]) -> int:
    """Owe their hosts' agents the runs that are processes, and the ends of such."""
    if not owed:
        return 0
    aside: list[Outbox] = []
    sent: list[Outbox] = []
    told: list[tuple[Host, str, dict[str, Any]]] = []
    for row, job in owed:
        attempt = row.payload["attempt"]
        try:
            if job.placement is None:
                continue
            if row.topic == STOP:
                told.append((job.placement.host, "process.stop", row.payload))
            elif _is_owed(job, attempt):
                told.append((job.placement.host, "process.run", run_of(job, attempt)))
                sent.append(row)
        except (Unknown, WrongTemplate) as error:
            aside.append(_put_aside(row, error))
    with writing():
        if give_all(told):
            transaction.on_commit(ring_commands)
        return _mark([row for row, _ in owed], sent, aside)


def _send(rows: list[Outbox], jobs: dict[uuid.UUID, Job]) -> int:
    """Put messages into the queues of hosts' workers, and tell these to stop."""
    if not rows:
        return 0
    aside: list[Outbox] = []
    owed: list[tuple[Outbox, Message]] = []
    broker = workers_broker()
    for row in rows:
        try:
            if row.topic == STOP:
                # The attempt is over for the control plane; a worker that does not hear this ends it in vain.
                broker.stop(row.payload["job"])
                continue
            job, attempt = jobs.get(uuid.UUID(row.payload["job"])), row.payload["attempt"]
            if job is not None and job.placement is not None and _is_owed(job, attempt):
                owed.append((row, message_of(job, attempt, queue_of(job.placement.host.name))))
        except OperationalError:
            raise
        except Exception as error:
            aside.append(_put_aside(row, error))
    refused = broker.put([message for _, message in owed])
    aside += [_put_aside(owed[place][0], error) for place, error in refused.items()]
    sent = [row for place, (row, _) in enumerate(owed) if place not in refused]
    with writing():
        return _mark(rows, sent, aside)


def _mark(rows: list[Outbox], sent: list[Outbox], aside: list[Outbox]) -> int:
    """Write down what became of messages, inside the caller's transaction; how many need not be looked at again."""
    mark_dispatched((uuid.UUID(row.payload["job"]), row.payload["attempt"]) for row in sent)
    change(aside, "tries", "error", "not_before")
    for row in aside:
        tell_unsent(row.payload.get("job"), row.error)
    done = {row.pk for row in rows} - {row.pk for row in aside}
    Outbox.objects.filter(pk__in=done).update(sent_at=timezone.now())
    return len(done)


def _jobs_of(rows: list[Outbox]) -> set[uuid.UUID]:
    return {found for row in rows if (found := _job_of(row))}


def _job_of(row: Outbox) -> uuid.UUID | None:
    return uuid_of(str(row.payload.get("job")))


def _is_owed(job: Job, attempt: int) -> bool:
    """Not where the attempt is over."""
    return job.attempt == attempt and job.state in (Job.State.PLACED, Job.State.DISPATCHED)


def _put_aside(row: Outbox, error: Exception) -> Outbox:
    log.error("a message of %s can't be sent and is put aside: %r", row.payload, error)
    row.tries += 1
    row.error = text(f"{type(error).__name__}: {error}", 500)
    row.not_before = timezone.now() + timedelta(seconds=wait_s(ASIDE_S, row.tries, random.random()))
    return row
