"""Stragglers: a second copy of a run that takes much longer than its task's runs do, where the job allows it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from balancer_core.decision import Decision as CoreDecision
from balancer_core.load import InvalidLoad, Load
from console.actions import Action, Actor
from console.jobs import queue
from console.jobs.actions.attempt import Lose
from console.jobs.actions.place import DISPATCH
from console.jobs.held import rows_of
from console.jobs.models import Job, SecondCopy, TaskProfile
from console.jobs.spec import load_of
from console.live.bells import ring_owed, ring_placed
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import decision_row, hosts_of, placement_row
from console.placements.models import Placement
from console.rows import insert

#: A run is late once it took so many times as long as 19 of 20 runs of its task, and at least so much longer: a copy
#: has to begin, and to make up for what the first has done already.
LATE = 1.5
LEAST_LATE_S = 2.0
#: Runs that one look begins copies of.
MOST_COPIES = 10
#: A copy that its host's workers have not begun after so long is given up.
UNBEGUN_S = 10.0


@dataclass
class BeginCopy(Action[Placement | None]):
    """Place a copy of an attempt that runs beside it. None where the attempt is over, has one, or the room is gone."""

    job: uuid.UUID
    attempt: int
    load: Load
    decided: CoreDecision
    why: str

    NAME = "job.second-copy"

    def execute(self, actor: Actor) -> Placement | None:
        job = rows_of({self.job}).get(self.job)
        wanted = (Job.State.RUNNING, self.attempt, None)
        if job is None or (job.state, job.attempt, job.copy_attempt) != wanted:
            return None
        hosts = hosts_of([self.decided])
        for name in self.decided.ranking:
            if name in hosts and ledger.reserve(hosts[name].pk, self.load.demand):
                break
        else:
            return None
        decision = decision_row(self.decided.instead(name), self.load)
        placement = placement_row(decision, self.load, hosts[name])
        insert(decision)
        insert(placement)
        copy = SecondCopy(job=job, attempt=job.attempt + 1, placement=placement, host=name, why=self.why)
        copy.save()
        job.copy_attempt = copy.attempt
        job.save(update_fields=["copy_attempt"])
        self.owe(DISPATCH, {"job": str(job.pk), "attempt": copy.attempt})
        after = {"host": name, "attempt": copy.attempt, "beside": self.attempt}
        self.record(actor, "job", str(job.pk), after=after, reason=self.why)
        return placement

    def committed(self, result: Placement | None) -> None:
        if result is not None:
            picture.reserve(result.host.name, result.demand)
            ring_placed()
            ring_owed()


def due_copies() -> Iterator[BeginCopy]:
    """Copies of runs that are late, each to be begun before the next is asked for. None while jobs wait: they have the
    room first."""
    now = timezone.now()
    late = _late(now)
    if not late or queue.are_waiting(now, 1):
        return
    stuck, held = queue.stuck_hosts(now), queue.held()
    terms = queue.terms({job.tenant for job, _ in late})
    for job, usual_s in late:
        if job.placement is None or job.started_at is None:
            continue
        if queue.over_quota(terms[job.tenant], held.get(job.tenant, {}), job.demand):
            continue
        host, ran_s = job.placement.host.name, (now - job.started_at).total_seconds()
        try:
            load = load_of(job, stuck | {host})
            decided = picture.decide(load)
        except InvalidLoad:
            continue
        if decided.ranking:
            usual = f"19 of 20 runs of {job.task} took less than {usual_s:.3g} s."
            why = f"It has run for {ran_s:.3g} s on {host}; {usual}"
            yield BeginCopy(job.pk, job.attempt, load, decided, why)


def _late(now: datetime) -> list[tuple[Job, float]]:
    """Jobs that allow a copy and have none, and take much longer than their tasks' runs do; and what these take."""
    since = now - timedelta(seconds=LEAST_LATE_S)
    running = Job.objects.filter(
        second_copy=True,
        state=Job.State.RUNNING,
        copy_attempt=None,
        started_at__lt=since,
        placement__isnull=False,
    )
    tasks = list(running.order_by().values_list("task", flat=True).distinct())
    usual = dict(TaskProfile.objects.filter(task__in=tasks, late_s__gt=0.0).values_list("task", "late_s"))
    over = Q(pk__in=[])
    for task, usual_s in usual.items():
        after_s = max(LATE * usual_s, usual_s + LEAST_LATE_S)
        over |= Q(task=task, started_at__lt=now - timedelta(seconds=after_s))
    rows = running.filter(over).select_related("placement__host").order_by("started_at")[:MOST_COPIES]
    return [(job, usual[job.task]) for job in rows]


def lost_copies() -> Iterator[Lose]:
    """Copies that nobody begins, or of which nothing is heard, to be given up."""
    now = timezone.now()
    live = SecondCopy.objects.filter(ended_at=None)
    unbegun = Q(started_at=None, created_at__lt=now - timedelta(seconds=UNBEGUN_S))
    rows = live.filter(unbegun | Q(lease_until__lt=now)).values_list("job", "attempt", "started_at")
    for job, attempt, begun in list(rows):
        why = "not heard of" if begun else "its host's workers had not begun it"
        yield Lose(str(job), attempt, why=why)
