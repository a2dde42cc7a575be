"""Handing in jobs, one or many: they are kept first, then placed at once if nobody waits and a host has room."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from balancer_core.load import InvalidLoad
from console.actions import SYSTEM, Action, Actor, Conflict, Invalid, NotAllowed
from console.jobs import queue
from console.jobs.actions.place import PlaceWaiting
from console.jobs.models import Job, Need
from console.jobs.spec import Spec
from console.live.bells import ring_jobs, ring_owed
from console.live.picture import picture
from console.rows import insert_all
from console.together import Together

#: Jobs in one call.
MOST_AT_ONCE = 1000


@dataclass
class Submit(Spec, Action[Job]):
    """Keep a job. It will run: now if a host has room and nobody waits, else when it is its turn."""

    NAME = "job.submit"

    def run(self, actor: Actor) -> Job:
        if not self.allows(actor):
            raise NotAllowed(f"{self.NAME} is not for {actor.kind} {actor.name}")
        if earlier := self._earlier():
            return earlier
        try:
            # What belongs to a caller's transaction can't join others.
            alone = connection.in_atomic_block
            return _raised(_keep([(actor, self)])[0]) if alone else _arriving.do((actor, self))
        except IntegrityError:
            if earlier := self._earlier():
                return earlier
            raise

    def execute(self, actor: Actor) -> Job:
        (job,) = hand_in([self])
        self.record(actor, "job", str(job.pk), after={"task": self.task, "demand": self.demand})
        return job

    def _earlier(self) -> Job | None:
        if not self.request_key and self.identity is None:
            return None
        named = {"pk": self.identity} if self.identity else {"request_key": self.request_key}
        found = Job.objects.select_related("placement__host").filter(**named).first()
        if found is not None and not self.is_of(found):
            raise Conflict("key-reused", "this idempotency key was used for another job; use a new one")
        return found


@dataclass
class _SubmitEach(Action[list[Job | Exception]]):
    """Keep jobs that were handed in one by one, each by itself: one that can't be kept says why and is no other's."""

    asked: Sequence[tuple[Actor, Submit]]

    NAME = "job.submit"

    def execute(self, actor: Actor) -> list[Job | Exception]:
        return [self._one(who, job) for who, job in self.asked]

    def _one(self, who: Actor, job: Submit) -> Job | Exception:
        try:
            with transaction.atomic():
                return job.execute(who)
        except (Invalid, InvalidLoad, IntegrityError) as error:
            return error


def _keep(asked: Sequence[tuple[Actor, Submit]]) -> list[Job | Exception]:
    jobs = _SubmitEach(asked).run(SYSTEM)
    placed = {job.pk: job for job in placed_if_alone([job for job in jobs if isinstance(job, Job)])}
    return [placed[job.pk] if isinstance(job, Job) else job for job in jobs]


def _raised(kept: Job | Exception) -> Job:
    if isinstance(kept, Exception):
        raise kept
    return kept


#: Jobs that come one by one, many at the same moment, are kept in one transaction and placed in one pass.
_arriving: Together[tuple[Actor, Submit], Job] = Together(_keep, most=100)


@dataclass
class SubmitMany(Action[list[Job]]):
    """Keep many jobs, all or none. Their identities name each other in `after`, whatever their order.

    array: they are one array, in this order.
    """

    specs: list[Spec]
    array: bool = False

    NAME = "job.submit-many"

    def run(self, actor: Actor) -> list[Job]:
        try:
            jobs = super().run(actor)
        except IntegrityError:
            raise Conflict("key-reused", "one of these jobs was handed in before") from None
        return placed_if_alone(jobs)

    def execute(self, actor: Actor) -> list[Job]:
        if not 1 <= len(self.specs) <= MOST_AT_ONCE:
            raise Invalid("jobs", "out-of-range", f"from 1 to {MOST_AT_ONCE:,} jobs in one call")
        jobs = hand_in(self.specs, uuid.uuid4() if self.array else None)
        tasks = sorted({job.task for job in jobs})
        self.record(
            actor, "job", str(jobs[0].array or jobs[0].pk), after={"jobs": len(jobs), "tasks": tasks[:20]}
        )
        return jobs


def hand_in(specs: Sequence[Spec], array: uuid.UUID | None = None, schedule: str = "") -> list[Job]:
    """Write jobs with what they wait for, inside the caller's transaction. Raises Invalid, naming the job's place
    where there are several."""
    specs = [replace(spec, identity=spec.identity or uuid.uuid4()) for spec in specs]
    mine = {spec.identity for spec in specs}
    if len(mine) < len(specs):
        raise Invalid("jobs", "duplicate", "two of these jobs have the same id")
    refuse_cycles(specs)
    others = {needed for spec in specs for needed in spec.after} - mine
    states = dict(Job.objects.select_for_update().filter(pk__in=others).values_list("pk", "state"))
    jobs, needs = [], []
    for number, spec in enumerate(specs):
        try:
            blockers = [each for each in dict.fromkeys(spec.after) if _blocks(each, mine, states)]
            state = Job.State.BLOCKED if blockers else Job.State.QUEUED
            jobs.append(
                spec.row(
                    state=state,
                    array=array,
                    position=None if array is None else number,
                    schedule=schedule,
                )
            )
        except Invalid as error:
            if len(specs) == 1:
                raise
            raise Invalid(f"{number}.{error.field}", error.code, error.reason) from None
        needs += [Need(job=jobs[-1], needed_id=each) for each in dict.fromkeys(spec.after)]
    insert_all(jobs)
    insert_all(needs)
    return jobs


def refuse_cycles(specs: Sequence[Spec]) -> None:
    """Raises Invalid naming the circle, where jobs wait for each other."""
    try:
        TopologicalSorter({spec.identity: spec.after for spec in specs}).prepare()
    except CycleError as error:
        places = {spec.identity: number for number, spec in enumerate(specs)}
        circle = " waits for ".join(f"job {places[each]}" for each in reversed(error.args[1]))
        raise Invalid("after", "cycle", f"these jobs wait for each other: {circle}") from None


def _blocks(needed: uuid.UUID, mine: set[uuid.UUID | None], states: dict[uuid.UUID, str]) -> bool:
    if needed in mine:
        return True
    if needed not in states:
        raise Invalid("after", "unknown", f"no job is called {needed}")
    if states[needed] in (Job.State.FAILED, Job.State.CANCELLED):
        raise Invalid(
            "after", "ended", f"job {needed} has {states[needed]}, and what waits for it would never run"
        )
    return states[needed] != Job.State.SUCCEEDED


def placed_if_alone(jobs: list[Job]) -> list[Job]:
    """What was just handed in, placed where that can be; where others wait it is the controller's to say whose turn it
    is, and the jobs are as they were made."""
    if not jobs:
        return []
    if queue.are_waiting(timezone.now(), len(jobs) + 1):
        ring_jobs()
        return jobs
    one = PlaceWaiting().run(SYSTEM)
    placed = len(one.placed)
    if placed < len(jobs) and picture.ahead:
        picture.load()
        one = PlaceWaiting().run(SYSTEM)
        placed += len(one.placed)
    if placed:
        ring_owed()
    if one.more:
        ring_jobs()
    found = Job.objects.select_related("placement__host").in_bulk([job.pk for job in jobs])
    return [found[job.pk] for job in jobs]
