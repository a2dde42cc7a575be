"""Ending jobs, handing them in anew, and letting those go on that were set aside."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils import timezone

from balancer_core.lifecycle import JOB, advance
from console.actions import Actor, Conflict, Unknown
from console.jobs.actions.submit import Submit
from console.jobs.copies import end_copy, live_copy
from console.jobs.models import Job
from console.jobs.needs import doom_waiting
from console.live.bells import ring_jobs, ring_owed
from console.multi import Foreseen, MultiAction
from console.pages.lists import uuid_of
from console.placements.actions.release import announce_release, release

#: Outbox topic: end the body that runs for a job which is over.
STOP = "job.stop"

#: States that a job is handed in anew from; one that has succeeded is done.
RETRIED = (Job.State.FAILED, Job.State.CANCELLED)


@dataclass
class Cancel(MultiAction[Job]):
    """End a job that has not ended, and what waits for it. The worker that runs it is told to stop; what it says of it
    later is refused."""

    job: uuid.UUID
    reason: str = ""

    NAME = "job.cancel"
    LABEL = "Cancel"
    LIST = "jobs"
    NO_UNDO = "a cancelled job does not come back to life; retry hands it in anew"

    @classmethod
    def foresee(cls, items: Sequence[str]) -> list[Foreseen]:
        return [_foreseen(item, job, _end) for item, job in _named(items)]

    def execute(self, actor: Actor) -> Job:
        job = Job.objects.select_for_update().filter(pk=self.job).first()
        if job is None:
            raise Unknown("job", self.job)
        if job.state in Job.ENDED:
            raise Conflict("state", f"this job has {job.state}")
        before = job.state
        self._stops = before == Job.State.RUNNING
        if self._stops:
            self.owe(STOP, {"job": str(job.pk), "attempt": job.attempt})
        self._released = end_attempt(job)
        job.state = advance(JOB, before, "cancel")
        job.ended_at, job.waiting_for = timezone.now(), ""
        job.save()
        doom_waiting(job)
        self.record(actor, "job", str(job.pk), before={"state": before}, reason=self.reason)
        return job

    def committed(self, result: Job) -> None:
        if self._released and result.placement is not None:
            announce_release(result.placement)
        else:
            ring_jobs()
        if self._stops:
            ring_owed()


@dataclass
class Retry(MultiAction[Job]):
    """Hand a failed or cancelled job in anew, as a job of its own. Asked for twice, it is handed in once."""

    job: uuid.UUID
    reason: str = ""

    NAME = "job.retry"
    LABEL = "Retry"
    LIST = "jobs"
    NO_UNDO = "cancel the new jobs instead"

    def run(self, actor: Actor) -> Job:
        old = super().run(actor)
        return Submit(
            old.task,
            old.args,
            old.kwargs,
            {} if old.learned else old.demand,
            old.labels,
            old.policy,
            old.tenant,
            old.priority,
            tries=old.tries,
            backoff_s=old.backoff_s,
            preemptible=old.preemptible,
            second_copy=old.second_copy,
            message=old.message,
            request_key=f"retry:{old.pk}",
            template=old.template,
            parameters=old.kwargs if old.template else {},
        ).run(actor)

    def execute(self, actor: Actor) -> Job:
        job = Job.objects.filter(pk=self.job).first()
        if job is None:
            raise Unknown("job", self.job)
        if job.state not in RETRIED:
            raise Conflict("state", f"this job is {job.state}")
        self.record(actor, "job", str(job.pk), before={"state": job.state}, reason=self.reason)
        return job

    @classmethod
    def foresee(cls, items: Sequence[str]) -> list[Foreseen]:
        return [_foreseen(item, job, _again) for item, job in _named(items)]


@dataclass
class LetGo(MultiAction[Job]):
    """Let a job go on that was set aside. It may be lost as often again."""

    job: uuid.UUID
    reason: str = ""

    NAME = "job.let-go"
    LABEL = "Let go on"
    LIST = "jobs"
    NO_UNDO = "cancel it, or it is set aside again"

    def execute(self, actor: Actor) -> Job:
        job = Job.objects.select_for_update().filter(pk=self.job).first()
        if job is None:
            raise Unknown("job", self.job)
        if job.state != Job.State.SET_ASIDE:
            raise Conflict("state", f"this job is {job.state}")
        job.state = advance(JOB, job.state, "release")
        job.losses, job.error, job.not_before = 0, "", None
        job.save(update_fields=["state", "losses", "error", "not_before"])
        self.record(actor, "job", str(job.pk), before={"state": Job.State.SET_ASIDE}, reason=self.reason)
        return job

    def committed(self, result: Job) -> None:
        ring_jobs()

    @classmethod
    def foresee(cls, items: Sequence[str]) -> list[Foreseen]:
        return [_foreseen(item, job, _on) for item, job in _named(items)]


def _named(items: Sequence[str]) -> list[tuple[str, Job | None]]:
    """Each with the job that it names. One query."""
    named = {item: found for item in items if (found := uuid_of(item))}
    jobs = Job.objects.only("state", "task").in_bulk(named.values())
    return [(item, jobs.get(named[item]) if item in named else None) for item in items]


def _foreseen(item: str, job: Job | None, step: Callable[[str], tuple[str, str]]) -> Foreseen:
    """step: from a state to the next one and why not."""
    if job is None:
        return Foreseen(item, why_not="there is no such job")
    after, why_not = step(job.state)
    return Foreseen(item, job.state, after, why_not, title=f"{job.task} {str(job.pk)[:8]}")


def _end(state: str) -> tuple[str, str]:
    return ("", f"this job has {state}") if state in Job.ENDED else (advance(JOB, state, "cancel"), "")


def _again(state: str) -> tuple[str, str]:
    return ("handed in anew", "") if state in RETRIED else ("", f"this job is {state}")


def _on(state: str) -> tuple[str, str]:
    return ("queued", "") if state == Job.State.SET_ASIDE else ("", f"this job is {state}")


def end_attempt(job: Job) -> bool:
    """Release what the present attempt holds, and a second copy of it, inside the caller's transaction. True where the
    attempt held something."""
    job.lease_until = None
    if (copy := live_copy(job)) is not None:
        held = end_copy(copy, "The job was ended; the copy was stopped.")
        if held is not None and release(held):
            transaction.on_commit(partial(announce_release, held))
    return job.placement is not None and release(job.placement)
