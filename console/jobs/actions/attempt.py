"""One attempt of a job: dispatched, claimed, renewed, ended or lost.

Rules:
1. Only the host that holds the attempt's placement may speak of it, and only of the newest attempt.
2. A claim takes a lease; renewing is claiming again. An attempt whose lease runs out is lost.
3. However often a message comes, an attempt starts once and ends once: every step is a
   conditional change of the row.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents.wire import JobEvent
from balancer_core.lifecycle import JOB, advance
from balancer_core.resources import MAX_RESOURCES
from console.actions import Actor, AgentAction, is_storable, text
from console.jobs.actions.ending import end_attempt
from console.jobs.models import Job, JobLog
from console.jobs.needs import doom_waiting, free_waiting
from console.jobs.retries import LOSS_BACKOFF_S, MOST_LOSSES, wait_s
from console.live.bells import ring_jobs
from console.placements.actions.release import announce_release

LEASE_S = 30.0
#: Characters of its log that are kept of a job.
MOST_LOG = 64_000


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
        job.started_at = timezone.now()
        job.lease_until = job.started_at + timedelta(seconds=LEASE_S)
        job.progress, job.note, job.error = None, "", ""
        job.save(update_fields=["state", "started_at", "lease_until", "progress", "note", "error"])
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
class Report(_Attempt):
    """How far the attempt is, and what its body logged since it last said so.

    share: from 0 to 1, None where it is not known. lines: text; the last MOST_LOG characters are kept.
    """

    share: float | None = None
    note: str = ""
    lines: str = ""

    NAME = "job.report"

    def execute(self, actor: Actor) -> str:
        job = self._find(actor)
        if job is None or job.state != Job.State.RUNNING:
            return "this attempt is no longer this host's"
        if self.share is not None and self.share == self.share:
            job.progress, job.note = min(max(self.share, 0.0), 1.0), text(self.note, 200)
            job.save(update_fields=["progress", "note"])
        if self.lines:
            log, _ = JobLog.objects.get_or_create(job=job)
            log.text = (log.text + text(self.lines, len(self.lines)))[-MOST_LOG:]
            log.save(update_fields=["text"])
        return ""


@dataclass
class Finish(_Attempt):
    """The attempt ended, well or badly. Said twice, it has ended once. used: what the run used, by resource."""

    succeeded: bool = True
    result: Any = None
    error: str = ""
    used: dict[str, float] = field(default_factory=dict)

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
        job.error = text(self.error, 10_000)
        end_attempt(job)
        if self.succeeded:
            self._succeed(job)
        else:
            self._fail(job)
        job.save()
        if job.state == Job.State.SUCCEEDED:
            free_waiting(job)
        elif job.state == Job.State.FAILED:
            doom_waiting(job)
        self.record(actor, "job", str(job.pk), after={"state": job.state, "attempt": job.attempt})
        self._ended = job
        return ""

    def _succeed(self, job: Job) -> None:
        job.state = advance(JOB, job.state, "succeed")
        job.result, job.used, job.ended_at = self.result, measured(self.used), timezone.now()
        if not is_storable(job.result):
            job.result, job.error = None, "its result is no JSON and was not kept"

    def _fail(self, job: Job) -> None:
        job.failures += 1
        if job.failures < job.tries:
            job.state = advance(JOB, job.state, "retry")
            begin_again(job, wait_s(job.backoff_s, job.failures, random.random()))
            return
        job.state, job.ended_at = advance(JOB, job.state, "fail"), timezone.now()


@dataclass
class Lose(_Attempt):
    """The attempt's worker is gone: the job goes back to the queue.

    One whose workers were lost MOST_LOSSES times while they ran it is set aside for an operator to look at. fault:
    False where it was not the job's doing, such as the end of a drain. taken_back: because its host did not begin it.
    """

    why: str = ""
    fault: bool = True
    taken_back: bool = False

    NAME = "job.lose"

    def allows(self, actor: Actor) -> bool:
        return actor.kind in ("agent", "system")

    def execute(self, actor: Actor) -> str:
        job = self._find(actor) if actor.kind == "agent" else self._find_anywhere()
        if job is None or job.state not in Job.ON_HOST:
            return "this attempt is over"
        # One that was never begun can't have done it.
        if self.fault and job.state == Job.State.RUNNING:
            job.losses += 1
        aside = job.losses >= MOST_LOSSES
        job.state = advance(JOB, job.state, "set_aside" if aside else "lose")
        end_attempt(job)
        begin_again(job, wait_s(LOSS_BACKOFF_S, job.losses, random.random()))
        if self.taken_back and job.placement is not None:
            job.taken_from, job.taken_at = job.placement.host.name, timezone.now()
        if aside:
            job.error = f"Set aside: its workers were lost {job.losses} times, last: {text(self.why, 2000)}"
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
            reason = Finish(*where, succeeded=True, result=event.result, used=event.used).run(actor)
        case "failed":
            reason = Finish(*where, succeeded=False, error=event.error).run(actor)
        case "report":
            reason = Report(*where, share=event.share, note=event.note, lines=event.lines).run(actor)
        case "lost":
            reason = Lose(*where, why=event.error or "its worker is gone").run(actor)
        case other:
            reason = f"no such event: {other[:32]!r}"
    return reason == "", reason


def begin_again(job: Job, after_s: float) -> None:
    """Make the row of a job whose attempt is over ready for the next one, in so many seconds; not saved here."""
    job.dispatched_at = job.started_at = None
    job.not_before = timezone.now() + timedelta(seconds=after_s) if after_s else None
    job.waiting_for = ""


def measured(used: dict[str, float]) -> dict[str, float] | None:
    """What a worker said that a run used, where it can be true: finite, not negative, few names."""
    if not used or len(used) > MAX_RESOURCES:
        return None
    good = all(len(name) <= 32 and 0.0 <= amount < math.inf for name, amount in used.items())
    return dict(used) if good else None


def mark_dispatched(attempts: Iterable[tuple[uuid.UUID, int]]) -> None:
    """The messages of these attempts are on their way. Inside the caller's transaction."""
    now, waits = timezone.now(), (Job.State.PLACED, Job.State.DISPATCHED)
    for job, attempt in attempts:
        Job.objects.filter(pk=job, attempt=attempt, state__in=waits).update(
            state=Job.State.DISPATCHED, dispatched_at=now
        )
