"""One attempt of a job: dispatched, claimed, renewed, ended or lost.

Rules:
1. Only the host that holds the attempt's placement may speak of it, and only of the newest attempt.
2. A claim takes a lease; renewing is claiming again. An attempt whose lease runs out is lost.
3. However often a message comes, an attempt starts once and ends once: every step is a
   conditional change of the row.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from agents.wire import JobEvent
from balancer_core.lifecycle import JOB, advance
from console.actions import SYSTEM, Action, Actor, AgentAction, is_storable, text
from console.jobs.actions.submit import DISPATCH, end_attempt
from console.jobs.models import Job
from console.live.bells import ring_jobs
from console.placements.actions.release import announce_release

LEASE_S = 30.0
#: A message that no worker has claimed for this long is sent again; the claim decides which one counts.
RESEND_S = 20.0
MOST_ATTEMPTS = 5


@dataclass
class _Attempt(AgentAction[str]):
    """Find the job's row for this attempt on this agent's host; the result is "" or why not."""

    job: str
    attempt: int

    _ended: Job | None = None

    def _find(self, actor: Actor) -> Job | None:
        try:
            identity = uuid.UUID(self.job)
        except ValueError:
            return None
        return (
            Job.objects.select_for_update(of=("self",))
            .select_related("placement__host")
            .filter(pk=identity, attempt=self.attempt, placement__host__name=actor.name)
            .first()
        )

    def committed(self, result: str) -> None:
        if self._ended is not None:
            if self._ended.placement is not None:
                announce_release(self._ended.placement)
            ring_jobs()


@dataclass
class Claim(_Attempt):
    """A worker wants to run the attempt, or still does."""

    NAME = "job.claim"

    def execute(self, actor: Actor) -> str:
        job = self._find(actor)
        if job is None:
            return "this attempt is not this host's to run"
        if job.state not in (Job.State.PLACED, Job.State.DISPATCHED):
            return f"this job is {job.state}"
        job.state = advance(JOB, job.state, "claim")
        job.lease_until = timezone.now() + timedelta(seconds=LEASE_S)
        job.save(update_fields=["state", "lease_until"])
        return ""


@dataclass
class Renew(_Attempt):
    """The worker that claimed the attempt still runs it."""

    NAME = "job.renew"

    def execute(self, actor: Actor) -> str:
        job = self._find(actor)
        if job is None or job.state != Job.State.RUNNING:
            return "this attempt is no longer this host's"
        job.lease_until = timezone.now() + timedelta(seconds=LEASE_S)
        job.save(update_fields=["lease_until"])
        return ""


@dataclass
class Finish(_Attempt):
    """The attempt ended, well or badly. Said twice, it has ended once."""

    succeeded: bool = True
    result: Any = None
    error: str = ""

    NAME = "job.finish"

    def execute(self, actor: Actor) -> str:
        job = self._find(actor)
        if job is None:
            return "this attempt is not this host's"
        wanted = Job.State.SUCCEEDED if self.succeeded else Job.State.FAILED
        if job.state == wanted:
            return ""
        if job.state != Job.State.RUNNING:
            return f"this job is {job.state}"
        job.state = advance(JOB, job.state, "succeed" if self.succeeded else "fail")
        job.result, job.error, job.ended_at = self.result, text(self.error, 10_000), timezone.now()
        if not is_storable(job.result):
            job.result, job.error = None, "its result is no JSON and was not kept"
        end_attempt(job)
        job.save()
        self.record(actor, "job", str(job.pk), after={"state": job.state, "attempt": job.attempt})
        self._ended = job
        return ""


@dataclass
class Lose(_Attempt):
    """The attempt's worker is gone: the job goes back to the queue, or fails after its last attempt."""

    why: str = ""

    NAME = "job.lose"

    def allows(self, actor: Actor) -> bool:
        return actor.kind in ("agent", "system")

    def execute(self, actor: Actor) -> str:
        job = self._find(actor) if actor.kind == "agent" else self._find_anywhere()
        if job is None or job.state not in Job.ON_HOST:
            return "this attempt is over"
        last = job.attempt >= MOST_ATTEMPTS
        job.state = advance(JOB, job.state, "give_up" if last else "lose")
        if last:
            job.error, job.ended_at = (
                text(f"lost {job.attempt} times, last: {self.why}", 10_000),
                timezone.now(),
            )
        end_attempt(job)
        job.dispatched_at = None
        job.save()
        after = {"state": job.state, "attempt": job.attempt}
        self.record(actor, "job", str(job.pk), after=after, reason=text(self.why, 500))
        self._ended = job
        return ""

    def _find_anywhere(self) -> Job | None:
        jobs = Job.objects.select_for_update(of=("self",)).select_related("placement__host")
        return jobs.filter(pk=self.job, attempt=self.attempt).first()


def take_job_event(actor: Actor, event: JobEvent) -> tuple[bool, str]:
    """What an agent said of a job of its host: (accepted, reason)."""
    where = (event.job, event.attempt)
    match event.event:
        case "claim":
            reason = Claim(*where).run(actor)
        case "renew":
            reason = Renew(*where).run(actor)
        case "succeeded":
            reason = Finish(*where, succeeded=True, result=event.result).run(actor)
        case "failed":
            reason = Finish(*where, succeeded=False, error=event.error).run(actor)
        case "lost":
            reason = Lose(*where, why=event.error or "its worker is gone").run(actor)
        case other:
            reason = f"no such event: {other[:32]!r}"
    return reason == "", reason


def lose_expired_leases() -> int:
    """Lose every running attempt whose lease ran out. Returns how many."""
    expired = Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=timezone.now())
    return sum(
        Lose(str(job), attempt, why=f"not heard of for {LEASE_S:g} s").run(SYSTEM) == ""
        for job, attempt in list(expired.values_list("pk", "attempt"))
    )


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


def mark_dispatched(job: uuid.UUID, attempt: int) -> None:
    """The message of this attempt is on its way."""
    Job.objects.filter(pk=job, attempt=attempt, state__in=(Job.State.PLACED, Job.State.DISPATCHED)).update(
        state=Job.State.DISPATCHED, dispatched_at=timezone.now()
    )
