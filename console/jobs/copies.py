"""Second copies of attempts: the one that ends first is the job's end, the other is stopped.

Theory of operation. A copy is an attempt with a number and a placement of its own, on another host, beside the job's
present attempt. Whoever speaks of it (claims, renews, ends) holds the job's row, like everybody who speaks of the job;
so of two ends one is first, and the second finds that its number counts no more. A copy that counts takes the place of
the present attempt in the job's row, and from then on it is the attempt. A number is never given twice: the next
attempt's is above the copy's (attempt.begin_again).
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from console.jobs.models import Job, SecondCopy
from console.jobs.stopping import owe_stop
from console.placements.models import Placement

#: What take_over() changes of the job.
TAKEN_OVER = ("attempt", "copy_attempt", "placement", "dispatched_at", "started_at", "lease_until")


def live_copy(job: Job) -> SecondCopy | None:
    """The copy that has not ended, with its host. Inside a transaction that holds the job's row."""
    if job.copy_attempt is None:
        return None
    copies = SecondCopy.objects.select_related("placement__host")
    return copies.filter(job=job, attempt=job.copy_attempt, ended_at=None).first()


def host_owed(job: Job, attempt: int) -> str:
    """The host whose workers are owed the message of this copy; "" where it is none, over, or begun."""
    copy = live_copy(job) if job.copy_attempt == attempt else None
    return copy.placement.host.name if copy and copy.started_at is None and copy.placement else ""


def hold(copy: SecondCopy, lease_s: float) -> None:
    """Its worker has it, from now on or still."""
    now = timezone.now()
    copy.started_at = copy.started_at or now
    copy.lease_until = now + timedelta(seconds=lease_s)
    copy.save(update_fields=["started_at", "lease_until"])


def end_copy(copy: SecondCopy, outcome: str) -> Placement | None:
    """It counts no more. Returns what it holds, to be released by the caller in the same transaction."""
    if copy.started_at is not None:
        owe_stop(copy.job_id, copy.attempt)
    _close(copy, outcome)
    return copy.placement


def take_over(job: Job, copy: SecondCopy, outcome: str) -> Placement | None:
    """A copy that runs becomes the job's attempt: TAKEN_OVER of the row are changed in memory. Returns what the former
    attempt holds, to be released."""
    owe_stop(job.pk, job.attempt)
    former = job.placement
    job.attempt, job.copy_attempt, job.placement = copy.attempt, None, copy.placement
    job.dispatched_at, job.started_at, job.lease_until = copy.created_at, copy.started_at, copy.lease_until
    _close(copy, outcome)
    return former


def _close(copy: SecondCopy, outcome: str) -> None:
    copy.ended_at, copy.lease_until, copy.outcome = timezone.now(), None, outcome
    copy.save(update_fields=["ended_at", "lease_until", "outcome"])
