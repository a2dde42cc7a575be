"""Handing in a job: it is kept first, then placed at once if any host has room."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from balancer_core.lifecycle import JOB, advance
from balancer_core.placement import InvalidLoad, Load
from console.actions import SYSTEM, Action, Actor, Conflict, Invalid, Unknown, is_storable
from console.jobs.models import Job
from console.live.bells import ring_hosts, ring_jobs
from console.live.picture import picture
from console.multi import Foreseen, MultiAction
from console.pages.lists import uuid_of
from console.placements.actions.commit import commit, keep, overtaken, refusal
from console.placements.actions.release import announce_release, release
from console.policies.defaults import chosen

#: With the job's identity it must fit a load's name.
TASK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,149}")

#: Outbox topic: send the Celery message of one attempt of a job.
DISPATCH = "job.dispatch"

#: States that a job is handed in anew from; one that has succeeded is done.
RETRIED = (Job.State.FAILED, Job.State.CANCELLED)


@dataclass
class Submit(Action[Job]):
    """Keep a job. It will run: now if a host has room, else when one has.

    demand: amounts by resource that one run needs.
    policy: "" for the default that holds when it is placed.
    dispatch: False where the application publishes the message itself, as the client library's router does;
    such a job can't wait, so FitsNowhere is raised and the job cancelled when no host has room now.
    request_key: a caller's own name for this request; a repeat gives the same job.
    """

    task: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    demand: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    policy: str = ""
    dispatch: bool = True
    request_key: str | None = None

    NAME = "job.submit"

    def run(self, actor: Actor) -> Job:
        if self.request_key and (earlier := self._earlier()):
            return earlier
        try:
            job = super().run(actor)
        except IntegrityError:
            if self.request_key and (earlier := self._earlier()):
                return earlier
            raise
        PlaceJob(job.pk).run(SYSTEM)
        job = Job.objects.select_related("placement__host").get(pk=job.pk)
        if job.state == Job.State.QUEUED and not self.dispatch:
            Cancel(job.pk, reason="no host had room, and the application would not wait").run(SYSTEM)
            load = load_of(job)
            raise refusal(picture.decide(load), load)
        return job

    def execute(self, actor: Actor) -> Job:
        self._check()
        job = Job(
            task=self.task,
            args=self.args,
            kwargs=self.kwargs,
            demand=self.demand,
            labels=self.labels,
            policy=self.policy,
            dispatch=self.dispatch,
            request_key=self.request_key,
        )
        picture.check(load_of(job))  # raises InvalidLoad before anything is kept
        job.save(force_insert=True)
        self.record(actor, "job", str(job.pk), after={"task": self.task, "demand": self.demand})
        return job

    def _check(self) -> None:
        if not TASK_NAME.fullmatch(self.task):
            raise Invalid(
                "task", "invalid", "a task's name is letters, digits, _ and ., at most 150 characters"
            )
        if not self.demand:
            raise Invalid("demand", "empty", 'say what one run needs, for instance {"cpu": 0.5}')
        for name in ("args", "kwargs"):
            if not is_storable(getattr(self, name)):
                raise Invalid(name, "not-json", "NaN, infinity, NUL and half characters can't be kept")

    def _earlier(self) -> Job | None:
        found = Job.objects.select_related("placement__host").filter(request_key=self.request_key).first()
        if found is not None and (found.task, found.args, found.kwargs) != (
            self.task,
            self.args,
            self.kwargs,
        ):
            raise Conflict("key-reused", "this idempotency key was used for another job; use a new one")
        return found


@dataclass
class PlaceJob(Action[Job | None]):
    """Give a queued job a host, reserve its demand there and owe its worker the message.

    None where no host has room; the job keeps waiting and says for what.
    """

    job: uuid.UUID

    NAME = "job.place"

    def execute(self, actor: Actor) -> Job | None:
        job = Job.objects.select_for_update().filter(pk=self.job, state=Job.State.QUEUED).first()
        if job is None:
            return None
        try:
            load = load_of(job)
            decided = picture.decide(load)
            if not decided.ranking and picture.ahead:
                picture.load()
                decided = picture.decide(load)
        except InvalidLoad as error:
            # It was right when it was handed in: the resource has gone with the last host that had it, or the policy.
            self._wait_for(job, str(error))
            return None
        for host in decided.ranking:
            placement = commit(decided.instead(host), load)
            if placement is None:
                continue
            job.state = advance(JOB, job.state, "place")
            job.attempt += 1
            job.placement = placement
            job.waiting_for = ""
            job.save()
            if job.dispatch or job.attempt > 1:
                self.owe(DISPATCH, {"job": str(job.pk), "attempt": job.attempt})
            self.record(actor, "job", str(job.pk), after={"host": host, "attempt": job.attempt})
            return job
        decided = overtaken(decided)
        # One kept refusal a wait, not one a try: a full cluster is asked every second.
        if not job.waiting_for:
            keep(decided, load)
        self._wait_for(job, decided.sentence)
        return None

    @staticmethod
    def _wait_for(job: Job, reason: str) -> None:
        if job.waiting_for != reason:
            job.waiting_for = reason
            job.save(update_fields=["waiting_for"])

    def committed(self, result: Job | None) -> None:
        if result is not None and result.placement is not None:
            picture.reserve(result.placement.host.name, result.placement.demand)
            ring_hosts()
            ring_jobs()


@dataclass
class Cancel(MultiAction[Job]):
    """End a job that has not ended. A worker that runs it finishes in vain: its result is refused."""

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
        self._released = end_attempt(job)
        job.state = advance(JOB, before, "cancel")
        job.ended_at = timezone.now()
        job.save()
        self.record(actor, "job", str(job.pk), before={"state": before}, reason=self.reason)
        return job

    def committed(self, result: Job) -> None:
        if self._released and result.placement is not None:
            announce_release(result.placement)


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
            old.task, old.args, old.kwargs, old.demand, old.labels, old.policy, request_key=f"retry:{old.pk}"
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


def load_of(job: Job) -> Load:
    """The core's view of a job. Raises InvalidLoad naming the field."""
    return Load(
        kind="job",
        name=f"{job.task}/{job.pk}",
        demand=job.demand,
        labels=job.labels,
        **chosen("job", job.policy, {}),
    )


def end_attempt(job: Job) -> bool:
    """Release what the present attempt holds, inside the caller's transaction. True where it held something."""
    job.lease_until = None
    return job.placement is not None and release(job.placement)
