"""The outbox's messages of jobs: from rows of the database into the queues of the chosen hosts, or to their agents.

The leading controller sends them, in its own process, as soon as a bell says that some are owed, and looks every second
anyway.
"""

from __future__ import annotations

import json
import logging
import random
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from django.db.transaction import on_commit
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
from console.jobs.copies import host_owed
from console.jobs.held import jobs_to_send
from console.jobs.messages import message_of
from console.jobs.models import Job
from console.jobs.retries import wait_s
from console.jobs.runs import give_all, run_of
from console.jobs.stopping import STOP_ATTEMPT
from console.live.bells import ring_commands
from console.pages.lists import uuid_of
from console.rows import change, moment_in, read
from console.turns import writing

log = logging.getLogger(__name__)

#: Messages sent before they are marked as sent, in one transaction: syncing each to disk would take most of the time.
BATCH = 200
#: A message that can't be sent is tried again after so long, then twice as long each time.
ASIDE_S = 5.0
#: Batches of one call, so that it ends.
MOST_BATCHES = 10

# Plain SQL: it is asked after every placement.
_OWED = """SELECT id, topic, CAST(payload AS text), tries FROM events_outbox
    WHERE sent_at IS NULL AND topic IN (%s, %s, %s) AND (not_before IS NULL OR not_before <= %s) ORDER BY id LIMIT %s"""

Transaction = Callable[[], AbstractContextManager[None]]


def relay_outbox(transaction: Transaction = writing) -> int:
    """Send what is owed, oldest first, and mark it sent. Returns how many were sent.

    Two relays at once, or a crash between sending and marking, send a message twice; the worker's claim makes that
    harmless. transaction: in which it is marked; the leader's is fenced. Raises OperationalError where the workers'
    broker is away: then none of theirs is marked.
    """
    sent = 0
    for _ in range(MOST_BATCHES):
        rows = _owed()
        sent += _relay(rows, transaction)
        if len(rows) < BATCH:
            break
    return sent


def _owed() -> list[Outbox]:
    rows = read(_OWED, [DISPATCH, STOP, STOP_ATTEMPT, moment_in(timezone.now()), BATCH])
    return [
        Outbox(id=key, topic=topic, payload=json.loads(said), tries=tries) for key, topic, said, tries in rows
    ]


def _relay(rows: list[Outbox], transaction: Transaction) -> int:
    """Send these messages, then mark them; how many were sent. One that can't be sent is put aside."""
    jobs = jobs_to_send(_jobs_of(rows))
    of_agents = {row.pk for row in rows if _is_of_agent(row, jobs.get(_job_of(row)))}
    # Agents first: they need no broker.
    told = _tell_agents([row for row in rows if row.pk in of_agents], jobs, transaction)
    return told + _send([row for row in rows if row.pk not in of_agents], jobs, transaction)


def _is_of_agent(row: Outbox, job: Job | None) -> bool:
    """Whether it is about a process that an agent runs."""
    if row.topic == STOP_ATTEMPT:
        return "host" in row.payload
    return job is not None and job.template != ""


def _tell_agents(rows: list[Outbox], jobs: dict[uuid.UUID, Job], transaction: Transaction) -> int:
    """Owe their hosts' agents the runs that are processes, and the ends of such."""
    if not rows:
        return 0
    aside: list[Outbox] = []
    sent: list[Outbox] = []
    told: list[tuple[Host, str, dict[str, Any]]] = []
    left = Host.objects.in_bulk(
        {row.payload["host"] for row in rows if "host" in row.payload}, field_name="name"
    )
    for row in rows:
        attempt = row.payload["attempt"]
        if row.topic == STOP_ATTEMPT:
            if (host := left.get(row.payload["host"])) is not None:
                told.append((host, "process.stop", {"job": row.payload["job"], "attempt": attempt}))
            continue
        job = jobs[uuid.UUID(row.payload["job"])]
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
    with transaction():
        if give_all(told):
            on_commit(ring_commands)
        return _mark(rows, sent, aside)


def _send(rows: list[Outbox], jobs: dict[uuid.UUID, Job], transaction: Transaction) -> int:
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
            if row.topic == STOP_ATTEMPT:
                broker.stop_attempt(row.payload["job"], row.payload["attempt"])
                continue
            job, attempt = jobs.get(uuid.UUID(row.payload["job"])), row.payload["attempt"]
            if job is not None and (host := _host_owed(job, attempt)):
                owed.append((row, message_of(job, attempt, queue_of(host))))
        except OperationalError:
            raise
        except Exception as error:
            aside.append(_put_aside(row, error))
    refused = broker.put([message for _, message in owed])
    aside += [_put_aside(owed[place][0], error) for place, error in refused.items()]
    sent = [row for place, (row, _) in enumerate(owed) if place not in refused]
    with transaction():
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


def _host_owed(job: Job, attempt: int) -> str:
    """The host whose workers are owed the message; "" where the attempt is over."""
    if _is_owed(job, attempt) and job.placement is not None:
        return job.placement.host.name
    return host_owed(job, attempt)


def _put_aside(row: Outbox, error: Exception) -> Outbox:
    log.error("a message of %s can't be sent and is put aside: %r", row.payload, error)
    row.tries += 1
    row.error = text(f"{type(error).__name__}: {error}", 500)
    row.not_before = timezone.now() + timedelta(seconds=wait_s(ASIDE_S, row.tries, random.random()))
    return row
