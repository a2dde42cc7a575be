"""From the queue to hosts: jobs go in the order of their turns, as many as find room, in one transaction."""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.utils import timezone

from balancer_core.decision import Decision as CoreDecision
from balancer_core.draft import Draft
from balancer_core.fairness import Turns
from balancer_core.filters import FLAG_CODES, refusals
from balancer_core.lifecycle import JOB, advance
from balancer_core.load import InvalidLoad, Load
from balancer_core.placement import TOP
from balancer_core.question import Question
from console.actions import Action, Actor
from console.events.models import Outbox
from console.fleet.models import Host
from console.jobs import queue
from console.jobs.held import still_queued
from console.jobs.models import Job
from console.jobs.queue import BEGINNING, Further, Waiting
from console.jobs.spec import load_of
from console.live.bells import ring_placed
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import decision_row, hosts_of, overtaken, placement_row
from console.placements.models import Decision, Placement
from console.rows import change, insert_all

#: Outbox topic: send the Celery message of one attempt of a job.
DISPATCH = "job.dispatch"

#: In one transaction, so that nobody waits long for it.
MOST_PLACED = 200
#: Jobs looked at, by a pass that says what they wait for and by one that only looks for room; and of those the
#: different ones that the core is asked for.
MOST_SEEN = 1000
SEEN_QUICKLY = 200
MOST_ASKED = 200


@dataclass(frozen=True)
class Pass:
    """What one pass came to. further: where the next one is to look beside the beginning. more: it ended before it
    knew of all that had a turn; there may be room for others."""

    placed: list[Placement]
    further: Further
    more: bool


@dataclass
class PlaceWaiting(Action[Pass]):
    """Give the jobs that wait hosts, reserve what they need there and owe their workers the messages; whoever places
    sees to it that these are sent.

    Who finds no room goes on waiting. further: where to look beside the beginning. says: whether to say to those for
    what they wait, which writes a row each.
    """

    further: Further = BEGINNING
    says: bool = True

    NAME = "job.place"

    def execute(self, actor: Actor) -> Pass:
        one = _Pass(self.further, MOST_SEEN if self.says else min(MOST_SEEN, SEEN_QUICKLY))
        one.go()
        self._write(actor, one)
        further = one.further if one.waits else replace(one.further, jobs=0)
        return Pass([placement for _, placement in one.placed], further, one.more)

    def _write(self, actor: Actor, one: _Pass) -> None:
        insert_all([each.decision for _, each in one.placed])
        insert_all([each for _, each in one.placed])
        for job, placement in one.placed:
            job.state = advance(JOB, job.state, "place")
            job.attempt += 1
            job.placement, job.waiting_for, job.not_before = placement, "", None
        jobs = [job for job, _ in one.placed]
        change(jobs, "state", "attempt", "placement", "waiting_for", "not_before")
        insert_all(
            [Outbox(topic=DISPATCH, payload={"job": str(job.pk), "attempt": job.attempt}) for job in jobs]
        )
        insert_all(
            [
                self.line(
                    actor, "job", str(job.pk), after={"host": placement.host.name, "attempt": job.attempt}
                )
                for job, placement in one.placed
            ]
        )
        if self.says:
            insert_all(one.refused)
            for reason, waiting in one.waits.items():
                Job.objects.filter(pk__in=waiting).exclude(waiting_for=reason).update(waiting_for=reason)

    def committed(self, result: Pass) -> None:
        for placement in result.placed:
            picture.reserve(placement.host.name, placement.demand)
        if result.placed:
            ring_placed()


class _Pass:
    """One walk along the queue. placed: jobs with their placements, not written yet. refused: decisions to keep, one
    for each job that begins to wait. waits: by reason, the jobs that wait for it. further, more: as of Pass."""

    def __init__(self, further: Further, seen: int) -> None:
        self.now = timezone.now()
        self.more = False
        self.placed: list[tuple[Job, Placement]] = []
        self.refused: list[Decision] = []
        self.waits: dict[str, list[uuid.UUID]] = defaultdict(list)
        self._draft = Draft(picture.view()[0], time.monotonic())
        self._holds = queue.held()
        names, behind = queue.whose_turn(self._draft.base, self._holds, further.tenants)
        line = queue.line(names, self.now, seen, replace(further, tenants=behind))
        self.line, self._cut, self.further = line.jobs, line.cut, line.further
        self._terms = queue.terms(self.line)
        self._stuck = queue.stuck_hosts(self.now)
        self._kept: tuple[str, str] | None = None
        self._hopeless: dict[Any, str] = {}
        self._refused_of: set[str] = set()
        self._bursting: list[tuple[Waiting, str]] = []
        self._asked = 0
        self._decided: list[tuple[Waiting, Load, CoreDecision]] = []

    def go(self) -> None:
        snapshot = self._draft.base
        turns = Turns(
            snapshot.capacity.sum(axis=0),
            {tenant: len(jobs) for tenant, jobs in self.line.items()},
            {tenant: queue.vector(snapshot, amounts) for tenant, amounts in self._holds.items()},
            {tenant: each.weight for tenant, each in self._terms.items()},
        )
        next_of = {tenant: self._hopeful(jobs) for tenant, jobs in self.line.items()}
        placed: Counter[str] = Counter()
        while self._goes_on() and (turn := turns.call()) is not None:
            job = next(next_of[turn[0]], None)
            if job is None:
                # All that was seen of it found room, and more waits: it would still be its turn.
                self.more = turn[0] in self._cut and placed[turn[0]] == len(self.line[turn[0]])
                if self.more:
                    break
                turns.leave(turn[0])
                continue
            terms = self._terms[job.tenant]
            if over := queue.over_quota(terms, self._holds.get(job.tenant, {}), job.demand):
                if terms.bursts:
                    self._bursting.append((job, over))
                else:
                    self.waits[over].append(job.pk)
            elif self._place(job):
                placed[job.tenant] += 1
                turns.placed(job.tenant, queue.vector(snapshot, job.demand))
        # What nobody else waits for may be had beyond one's quota.
        for job, over in self._bursting:
            others = self._refused_of - {job.tenant}
            if others or self.more or not self._goes_on():
                self.waits[f"{over} It may hold more while nobody else waits."].append(job.pk)
            else:
                self._place(job)
        self.more |= len(self._decided) >= MOST_PLACED
        self._reserve()

    def _hopeful(self, jobs: list[Waiting]) -> Iterator[Waiting]:
        """Those of a tenant's jobs that may find room. Of a backlog most are alike, and need not be called in turn to
        hear that there is none."""
        for job in jobs:
            if why := self._hopeless.get(job.shape):
                self._wait(job, why)
            else:
                yield job

    def _goes_on(self) -> bool:
        return len(self._decided) < MOST_PLACED and self._asked < MOST_ASKED

    def _place(self, job: Waiting) -> bool:
        """Whether there is room for the job beside those that go before it."""
        self._asked += 1
        without = self._stuck | ({self._kept[0]} if self._kept else set())
        try:
            load = load_of(job, frozenset(without))
            question = self._draft.question(load)
        except InvalidLoad as error:
            # It was right when it was handed in: the resource has gone with the last host that had it, or the policy.
            self._wait(job, str(error))
            return False
        decided = self._draft.answer(question, TOP)
        if not decided.ranking:
            self._refuse(job, decided, question)
            return False
        self._decided.append((job, load, decided))
        self._draft.put(len(self._decided), question, self._draft.snapshot.rows[decided.ranking[0]])
        sums = self._holds.setdefault(job.tenant, {})
        for resource, amount in job.demand.items():
            sums[resource] = sums.get(resource, 0.0) + amount
        return True

    def _reserve(self) -> None:
        """Carry out what was decided. The jobs are locked together, then the hosts, as everybody does who touches
        several. A job that somebody else has just placed, or ended, is his."""
        jobs = still_queued([job.pk for job, _, _ in self._decided])
        hosts = hosts_of([decided for _, _, decided in self._decided])
        onto: dict[str, list[tuple[Waiting, Load, CoreDecision]]] = defaultdict(list)
        for each in self._decided:
            if each[0].pk in jobs:
                onto[each[2].ranking[0]].append(each)
        # All of a host with one statement; where they do not fit together any more, each where it finds room.
        single: list[tuple[Waiting, Load, CoreDecision]] = []
        for name, those in onto.items():
            if name in hosts and ledger.reserve(hosts[name].pk, _sum(job.demand for job, _, _ in those)):
                for job, load, decided in those:
                    self._keep(jobs[job.pk], load, decided, hosts[name])
            else:
                single += those
        for job, load, decided in single:
            for name in decided.ranking:
                if name in hosts and ledger.reserve(hosts[name].pk, job.demand):
                    self._keep(jobs[job.pk], load, decided, hosts[name])
                    break
            else:
                self._wait(job, overtaken(decided).sentence)

    def _keep(self, job: Job, load: Load, decided: CoreDecision, host: Host) -> None:
        decision = decision_row(decided.instead(host.name), load)
        self.placed.append((job, placement_row(decision, load, host)))

    def _refuse(self, job: Waiting, decided: CoreDecision, question: Question) -> None:
        # One kept refusal a wait, not one a try: a full cluster is asked every second.
        if not job.waits:
            self.refused.append(decision_row(decided, question.load))
        why = decided.sentence
        if self._stuck:
            stuck = ", ".join(sorted(self._stuck))
            why += f" Not asked, for their workers have not begun what they were sent: {stuck}."
        if self._kept:
            why += f" {self._kept[0]} is kept free for {self._kept[1]}."
        self._hopeless[job.shape] = why
        self._wait(job, why)
        if self._kept is None and job.is_late:
            self._keep_free(job, question)

    def _wait(self, job: Waiting, why: str) -> None:
        self.waits[why].append(job.pk)
        self._refused_of.add(job.tenant)

    def _keep_free(self, job: Waiting, question: Question) -> None:
        """Let nothing new go to the host that lacks least for this job, of those that could ever take it."""
        snapshot = question.snapshot
        could = (FLAG_CODES[snapshot.flags] == 0) & (snapshot.capacity >= question.demand).all(axis=1)
        codes = refusals(question)
        if codes is not None:
            could &= codes == 0
        if not could.any():
            return
        free = (snapshot.capacity - snapshot.reserved)[:, question.demand > 0]
        share = (free / question.demand[question.demand > 0]).min(axis=1)
        row = int(np.where(could, share, -np.inf).argmax())
        waited = self.now - Job.objects.values_list("created_at", flat=True).get(pk=job.pk)
        minutes = waited.total_seconds() // 60
        self._kept = (
            snapshot.names[row],
            f"{job.task} {str(job.pk)[:8]}, which has waited {minutes:.0f} min",
        )
        # From here on other answers hold, one host fewer.
        self._hopeless.clear()


def _sum(demands: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for demand in demands:
        for resource, amount in demand.items():
            found[resource] = found.get(resource, 0.0) + amount
    return found
