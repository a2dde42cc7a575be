"""What the controller does about attempts of which nothing is heard, and about jobs that nobody wants any more."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from balancer_core.lifecycle import JOB, advance
from balancer_core.load import InvalidLoad
from console.actions import SYSTEM, Action, Actor
from console.jobs.actions.attempt import LEASE_S, Lose
from console.jobs.actions.ending import STOP, end_attempt
from console.jobs.actions.place import DISPATCH
from console.jobs.models import Job
from console.jobs.needs import doom_waiting
from console.jobs.queue import STUCK_S, stuck_hosts
from console.jobs.spec import load_of
from console.live.bells import ring_jobs, ring_owed
from console.live.picture import picture
from console.placements.actions.release import announce_release
from console.rows import moment_in, read

#: A message that no worker has claimed for this long is sent again; the claim decides which one counts.
RESEND_S = 20.0
#: Jobs that one sweep ends because their deadlines have passed.
MOST_EXPIRED = 200
#: Attempts that one sweep looks for another host for.
MOST_TAKEN_BACK = 50

#: One question for all that follows and for schedules: nearly always nothing is due, and composing theirs takes longer.
_DUE = """SELECT 1 WHERE EXISTS (SELECT 1 FROM jobs_job WHERE state = 'running' AND lease_until < %s)
    OR EXISTS (SELECT 1 FROM jobs_job WHERE state = 'dispatched' AND dispatched_at < %s)
    OR EXISTS (SELECT 1 FROM jobs_job
        WHERE deadline < %s AND state NOT IN ('succeeded', 'failed', 'cancelled'))
    OR EXISTS (SELECT 1 FROM jobs_schedule WHERE NOT paused AND next_at <= %s)"""


def anything_due(broker_back_at: datetime | None) -> bool:
    """Whether an attempt, a deadline or a schedule may have to be seen to. broker_back_at: as of OweAgain."""
    now = timezone.now()
    unbegun = now - timedelta(seconds=STUCK_S)
    if broker_back_at is not None:
        unbegun = max(unbegun, broker_back_at)
    return bool(read(_DUE, [moment_in(at) for at in (now, unbegun, now, now)]))


def lose_expired_leases() -> int:
    """Lose every running attempt whose lease ran out. Returns how many."""
    expired = Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=timezone.now())
    return sum(
        Lose(str(job), attempt, why=f"not heard of for {LEASE_S:g} s").run(SYSTEM) == ""
        for job, attempt in list(expired.values_list("pk", "attempt"))
    )


@dataclass
class Expire(Action[bool]):
    """A job's deadline has passed: it is not wanted any more, whatever it waits for or does."""

    job: uuid.UUID

    NAME = "job.expire"

    def execute(self, actor: Actor) -> bool:
        self._job = None
        job = Job.objects.select_for_update().filter(pk=self.job).first()
        if job is None or job.state in Job.ENDED or job.deadline is None or job.deadline > timezone.now():
            return False
        before = job.state
        self._stops = before == Job.State.RUNNING
        if self._stops:
            self.owe(STOP, {"job": str(job.pk), "attempt": job.attempt})
        end_attempt(job)
        job.state, job.ended_at = advance(JOB, before, "expire"), timezone.now()
        job.waiting_for = ""
        job.error = f"Its deadline passed while it was {before.replace('_', ' ')}. {job.error}".strip()
        job.save()
        doom_waiting(job)
        self.record(actor, "job", str(job.pk), before={"state": before}, reason="its deadline has passed")
        self._job = job
        return True

    def committed(self, result: bool) -> None:
        if self._job is not None:
            if self._job.placement is not None:
                announce_release(self._job.placement)
            ring_jobs()
            if self._stops:
                ring_owed()


def expire_overdue() -> int:
    """End the jobs whose deadlines have passed. Returns how many."""
    late = Job.objects.exclude(state__in=Job.ENDED).filter(deadline__lt=timezone.now()).order_by("deadline")
    return sum(Expire(job).run(SYSTEM) for job in list(late.values_list("pk", flat=True)[:MOST_EXPIRED]))


def take_back_unbegun() -> int:
    """Attempts that a host's workers have not begun go back to the queue where another host would take them now:
    nothing waits behind a slow worker. Returns how many."""
    late = timezone.now() - timedelta(seconds=STUCK_S)
    waiting = Job.objects.filter(state=Job.State.DISPATCHED, dispatched_at__lt=late)
    stuck = stuck_hosts(timezone.now())
    taken = 0
    for job in list(waiting.select_related("placement__host").order_by("created_at")[:MOST_TAKEN_BACK]):
        try:
            elsewhere = picture.decide(load_of(job, stuck)).ranking
        except InvalidLoad:
            continue
        if elsewhere and job.placement is not None:
            why = f"the workers of {job.placement.host.name} had not begun it, and {elsewhere[0]} has room"
            taken += Lose(str(job.pk), job.attempt, why=why, fault=False, taken_back=True).run(SYSTEM) == ""
    return taken


@dataclass
class OweAgain(Action[int]):
    """Owe again the messages of attempts that nobody claimed for long: the broker may have lost them.

    broker_back_at: when the broker was last found again after it was away; what was sent before is owed at once.
    """

    broker_back_at: datetime | None = None

    NAME = "job.resend"

    def execute(self, actor: Actor) -> int:
        since = timezone.now() - timedelta(seconds=RESEND_S)
        if self.broker_back_at is not None:
            since = max(since, self.broker_back_at)
        # A placed attempt's first message is still owed by the outbox; only sent ones can be lost.
        stale = Job.objects.filter(state=Job.State.DISPATCHED, dispatched_at__lt=since)
        jobs = list(stale.values_list("pk", "attempt")[:500])
        for job, attempt in jobs:
            self.owe(DISPATCH, {"job": str(job), "attempt": attempt})
        Job.objects.filter(pk__in=[job for job, _ in jobs]).update(dispatched_at=timezone.now())
        return len(jobs)
