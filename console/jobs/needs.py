"""Jobs that wait for other jobs: freed when the last of these has succeeded, ended when one never will."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.utils import timezone

from balancer_core.lifecycle import JOB, advance
from console.jobs.models import Job, Need
from console.rows import key_in, key_out, places, read


def needed_of(keys: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Those of these jobs that another one waits for, or waited for."""
    if not keys:
        return []
    # Plain SQL: it is asked at each job's end, and nearly always answered with nothing.
    rows = read(
        f"SELECT DISTINCT needed_id FROM jobs_need WHERE needed_id IN ({places(keys)})",
        [key_in(key) for key in keys],
    )
    return [key_out(key) for (key,) in rows]


def doom_waiting(job: Job) -> None:
    """Whatever waits for a job that won't succeed fails, and what waits for that, inside the caller's transaction."""
    gone = [job]
    while gone:
        needing = Need.objects.filter(needed__in=gone).values("job")
        waiting = list(Job.objects.select_for_update().filter(pk__in=needing, state=Job.State.BLOCKED))
        for each in waiting:
            each.state = advance(JOB, each.state, "doom")
            each.ended_at = timezone.now()
            each.error = f"It waited for job {gone[0].pk} ({gone[0].task}), which has {gone[0].state}."
        Job.objects.bulk_update(waiting, ["state", "ended_at", "error"])
        gone = waiting


def free_waiting(job: Job) -> None:
    """Whatever waited for this job, which has succeeded, and waits for no other now, is queued."""
    needing = Need.objects.filter(needed=job).values("job")
    waiting = Job.objects.filter(pk__in=needing, state=Job.State.BLOCKED)
    # Locked first: of two that end at the same moment the second then sees that the first has succeeded.
    list(waiting.select_for_update().values_list("pk"))
    still = Need.objects.exclude(needed__state=Job.State.SUCCEEDED).values("job")
    waiting.exclude(pk__in=still).update(state=advance(JOB, Job.State.BLOCKED, "unblock"))
