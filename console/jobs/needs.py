"""Jobs that wait for other jobs: freed when the last of these has succeeded, ended when one never will."""

from __future__ import annotations

from django.utils import timezone

from balancer_core.lifecycle import JOB, advance
from console.jobs.models import Job, Need


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
