"""The outbox's messages of jobs: from rows of the database into the queues of the chosen hosts.

The leading controller sends them, in its own process, as soon as a bell says that some are owed, and looks every second
anyway.
"""

from __future__ import annotations

import json
import logging
import random
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from django.utils import timezone
from kombu.exceptions import OperationalError

from clients.celery import STOP_COMMAND, queue_of
from console.actions import text
from console.celery import app
from console.events.models import Outbox
from console.jobs.actions.attempt import mark_dispatched, tell_unsent
from console.jobs.actions.ending import STOP
from console.jobs.actions.place import DISPATCH
from console.jobs.copies import host_owed
from console.jobs.held import jobs_to_send
from console.jobs.messages import message_of, put
from console.jobs.models import Job
from console.jobs.retries import wait_s
from console.jobs.stopping import STOP_ATTEMPT
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
    harmless. transaction: in which it is marked; the leader's is fenced. Raises what the broker's client raises where
    the broker is away: then nothing is marked.
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
    if not rows:
        return 0
    jobs = jobs_to_send(_jobs_of(rows))
    aside: list[Outbox] = []
    queues: dict[str, list[tuple[Outbox, bytes]]] = defaultdict(list)
    for row in rows:
        try:
            if row.topic == STOP:
                # The attempt is over for the control plane; a worker that does not hear this ends it in vain.
                app.control.revoke(row.payload["job"], terminate=True)
                continue
            if row.topic == STOP_ATTEMPT:
                app.control.broadcast(STOP_COMMAND, arguments=row.payload)
                continue
            job, attempt = jobs.get(uuid.UUID(row.payload["job"])), row.payload["attempt"]
            if job is not None and (host := _host_owed(job, attempt)):
                queue = queue_of(host)
                queues[queue].append((row, message_of(job, attempt, queue)))
        except (OSError, OperationalError):
            raise
        except Exception as error:
            aside.append(_put_aside(row, error))
    refused = put({queue: [message for _, message in owed] for queue, owed in queues.items()})
    for queue, error in refused.items():
        aside += [_put_aside(row, error) for row, _ in queues.pop(queue)]
    sent = [row for owed in queues.values() for row, _ in owed]
    with transaction():
        mark_dispatched((uuid.UUID(row.payload["job"]), row.payload["attempt"]) for row in sent)
        change(aside, "tries", "error", "not_before")
        for row in aside:
            tell_unsent(row.payload.get("job"), row.error)
        done = {row.pk for row in rows} - {row.pk for row in aside}
        Outbox.objects.filter(pk__in=done).update(sent_at=timezone.now())
    return len(done)


def _jobs_of(rows: list[Outbox]) -> set[uuid.UUID]:
    named = (uuid_of(str(row.payload.get("job"))) for row in rows)
    return {found for found in named if found}


def _host_owed(job: Job, attempt: int) -> str:
    """The host whose workers are owed the message; "" where the attempt is over."""
    waits = job.attempt == attempt and job.state in (Job.State.PLACED, Job.State.DISPATCHED)
    return job.placement.host.name if waits and job.placement is not None else host_owed(job, attempt)


def _put_aside(row: Outbox, error: Exception) -> Outbox:
    log.error("a message of %s can't be sent and is put aside: %r", row.payload, error)
    row.tries += 1
    row.error = text(f"{type(error).__name__}: {error}", 500)
    row.not_before = timezone.now() + timedelta(seconds=wait_s(ASIDE_S, row.tries, random.random()))
    return row
