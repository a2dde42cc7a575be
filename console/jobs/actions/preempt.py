"""Preemption carried out: jobs of lower priorities leave, and the job that they leave for has their room, in one
transaction. What they did is done again; it costs them no try."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace

from balancer_core.lifecycle import JOB, advance
from balancer_core.placement import decide
from balancer_core.preemption import after_leaving
from console.actions import Action, Actor, Conflict
from console.jobs.actions.attempt import BEGUN_AGAIN, begin_again
from console.jobs.actions.place import DISPATCH
from console.jobs.held import rows_of
from console.jobs.models import Job, Preemption
from console.jobs.preemption import Leaving, Taking
from console.jobs.stopping import owe_stop
from console.jobs.written import Written
from console.live.bells import ring_owed, ring_placed
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import decision_row, placement_row
from console.placements.models import Decision, Placement
from console.rows import insert, insert_all


@dataclass
class Preempt(Action[Placement]):
    """Let the jobs that it names leave their host, and place the job that waits there.

    Raises Conflict where one of them is no longer what it was when this was decided; then nobody has left.
    """

    taking: Taking

    NAME = "job.preempt"

    def execute(self, actor: Actor) -> Placement:
        taking, self._written = self.taking, Written()
        jobs = rows_of({taking.job.pk, *(each.job for each in taking.leaving)})
        job = jobs.get(taking.job.pk)
        if job is None or job.state != Job.State.QUEUED:
            raise Conflict("overtaken", "the job no longer waits")
        leaving = [(each, jobs.get(each.job)) for each in taking.leaving]
        if any(victim is None or not _is_there(each, victim) for each, victim in leaving):
            raise Conflict("overtaken", "what was to leave has gone by itself")
        act = replace(actor, act=uuid.uuid4())
        rows = [self._leave(act, each, victim) for each, victim in leaving if victim is not None]
        self._written.write()
        placement = self._placement(leaving[0][1].placement)  # type: ignore[union-attr]
        if not ledger.reserve(placement.host_id, taking.job.demand):
            raise Conflict("overtaken", f"{taking.host} has no such room")
        insert(placement.decision)
        insert(placement)
        insert_all(rows)
        job.state, job.attempt = advance(JOB, job.state, "place"), job.attempt + 1
        job.placement, job.waiting_for, job.not_before = placement, "", None
        job.save(update_fields=["state", "attempt", "placement", "waiting_for", "not_before"])
        self.owe(DISPATCH, {"job": str(job.pk), "attempt": job.attempt})
        after = {
            "host": taking.host,
            "attempt": job.attempt,
            "left": [str(each.job) for each in taking.leaving],
        }
        self.record(act, "job", str(job.pk), after=after, reason=placement.decision.sentence)
        return placement

    def _leave(self, actor: Actor, each: Leaving, victim: Job) -> Preemption:
        """End the attempt and let the job wait again, at once: it is not its doing."""
        if victim.state == Job.State.RUNNING and victim.placement is not None:
            owe_stop(victim.pk, victim.attempt, victim.placement.host.name if victim.template else "")
        self._written.end(victim)
        victim.state = advance(JOB, victim.state, "preempt")
        victim.preemptions = each.preemptions + 1
        begin_again(victim, 0.0)
        self._written.change(victim, "state", "preemptions", *BEGUN_AGAIN)
        after = {"state": victim.state, "attempt": each.attempt, "by": str(self.taking.job.pk)}
        said = self.line(actor, "job", str(victim.pk), after=after, reason=each.reason)
        said.action = "job.preempted"
        self._written.lines.append(said)
        return Preemption(
            job=victim,
            attempt=each.attempt,
            placement=victim.placement,
            by_id=self.taking.job.pk,
            host=self.taking.host,
            reason=each.reason,
        )

    def _placement(self, left: Placement) -> Placement:
        """The rows, not written yet, of the decision as it is once the others have left."""
        taking = self.taking
        after = after_leaving(picture.view()[0], [each.held for each in taking.leaving])
        decided = decide(after, taking.load, time.monotonic())
        if taking.host not in decided.ranking:
            raise Conflict("overtaken", f"{taking.host} has no such room")
        decided = decided.instead(taking.host)
        names = ", ".join(each["name"] for each in taking.proposal["best"]["leaving"])
        sentence = f"{decided.sentence} No host had room; {names} left for it, of lower priority."
        decision: Decision = decision_row(replace(decided, sentence=sentence), taking.load)
        decision.preemption = {**taking.proposal, "sentence": sentence}
        return placement_row(decision, taking.load, left.host)

    def committed(self, result: Placement) -> None:
        self._written.announce()
        picture.reserve(result.host.name, result.demand)
        ring_placed()
        ring_owed()


def _is_there(each: Leaving, job: Job) -> bool:
    """Whether it is still the attempt that was to leave, on a host."""
    return job.attempt == each.attempt and job.state in Job.ON_HOST and job.placement is not None
