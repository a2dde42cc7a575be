"""One attempt of a job: dispatched, claimed, renewed, ended or lost.

Rules:
1. Only the host that holds the attempt's placement may speak of it, and only of the newest attempt.
   Beside it there may be a second copy, with a number and a host of its own (console.jobs.copies).
2. A claim takes a lease; renewing is claiming again. An attempt whose lease runs out is lost.
3. However often a message comes, an attempt starts once and ends once: every step looks at the row, which it holds
   until it is committed.
4. What comes together is committed together: syncing each step to disk by itself would take most of the time.
"""

from __future__ import annotations

import logging
import math
import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from agents.wire import JobEvent
from balancer_core.lifecycle import JOB, advance
from balancer_core.resources import MAX_RESOURCES
from console.actions import SYSTEM, Action, Actor, AgentAction, is_storable, text
from console.jobs.copies import TAKEN_OVER, end_copy, hold, live_copy, take_over
from console.jobs.held import rows_of
from console.jobs.models import Job, JobLog, SecondCopy
from console.jobs.retries import LOSS_BACKOFF_S, MOST_LOSSES, wait_s
from console.jobs.written import Written
from console.rows import key_in, moment_in

log = logging.getLogger(__name__)

LEASE_S = 30.0
#: Characters of its log that are kept of a job.
MOST_LOG = 64_000


@dataclass
class _Attempt(AgentAction[str]):
    """One step of one attempt; the result is "" or why not."""

    job: str
    attempt: int

    def step(self, actor: Actor, job: Job, written: Written) -> str:
        """Take the step on the row of the attempt, which is in actor's reach: change it in memory, and say to written
        what of it is to be written."""
        raise NotImplementedError

    def step_of_copy(self, actor: Actor, job: Job, copy: SecondCopy, written: Written) -> str:
        """Take the step on the second copy of the job's present attempt."""
        raise NotImplementedError

    def execute(self, actor: Actor) -> str:
        self._written = Written()
        return _take([(actor, self)], self._written)[0]

    def committed(self, result: str) -> None:
        self._written.announce()


@dataclass
class TakeSteps(Action[list[str]]):
    """Steps of several attempts in one transaction, in their order, each by whoever may take it."""

    steps: Sequence[tuple[Actor, _Attempt]]

    NAME = "job.steps"

    def allows(self, actor: Actor) -> bool:
        return all(step.allows(who) for who, step in self.steps)

    def execute(self, actor: Actor) -> list[str]:
        self._written = Written()
        return _take(self.steps, self._written)

    def committed(self, result: list[str]) -> None:
        self._written.announce()


def _take(steps: Sequence[tuple[Actor, _Attempt]], written: Written) -> list[str]:
    """Take the steps inside the caller's transaction, on one reading of all rows."""
    keys = [_key(step.job) for _, step in steps]
    jobs = rows_of({key for key in keys if key})
    answers = []
    for key, (actor, step) in zip(keys, steps, strict=True):
        job = jobs.get(key) if key else None
        if job is not None and _speaks_of(actor, job, step.attempt):
            answers.append(step.step(actor, job, written))
        elif job is not None and (copy := _copy_of(actor, job, step.attempt)) is not None:
            answers.append(step.step_of_copy(actor, job, copy, written))
        else:
            answers.append("this attempt is not this host's")
    written.write()
    return answers


def _key(job: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(job)
    except ValueError:
        return None


def _speaks_of(actor: Actor, job: Job, attempt: int) -> bool:
    """Whether it is the newest attempt, and an agent's own."""
    if job.attempt != attempt:
        return False
    own = job.placement is not None and job.placement.host.name == actor.name
    return own or actor.kind == "system"


def _copy_of(actor: Actor, job: Job, attempt: int) -> SecondCopy | None:
    """The copy of its present attempt, where that is meant, counts, and is an agent's own."""
    meant = job.copy_attempt == attempt and job.state == Job.State.RUNNING
    copy = live_copy(job) if meant else None
    return copy if copy is not None and (actor.kind == "system" or copy.host == actor.name) else None


@dataclass
class Claim(_Attempt):
    """A worker wants to run the attempt, or still does."""

    NAME = "job.claim"

    def step(self, actor: Actor, job: Job, written: Written) -> str:
        if job.state not in (Job.State.PLACED, Job.State.DISPATCHED):
            return f"this job is {job.state}"
        job.state = advance(JOB, job.state, "claim")
        job.started_at = timezone.now()
        job.lease_until = job.started_at + timedelta(seconds=LEASE_S)
        job.progress, job.note, job.error = None, "", ""
        written.change(job, "state", "started_at", "lease_until", "progress", "note", "error")
        return ""

    def step_of_copy(self, actor: Actor, job: Job, copy: SecondCopy, written: Written) -> str:
        if copy.started_at is not None:
            return "this copy is running"
        hold(copy, LEASE_S)
        return ""


@dataclass
class Renew(_Attempt):
    """The worker that claimed the attempt still runs it."""

    NAME = "job.renew"

    def step(self, actor: Actor, job: Job, written: Written) -> str:
        if job.state != Job.State.RUNNING:
            return "this attempt is no longer this host's"
        job.lease_until = timezone.now() + timedelta(seconds=LEASE_S)
        written.change(job, "lease_until")
        return ""

    def step_of_copy(self, actor: Actor, job: Job, copy: SecondCopy, written: Written) -> str:
        if copy.started_at is None:
            return "this copy was not claimed"
        hold(copy, LEASE_S)
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

    def step(self, actor: Actor, job: Job, written: Written) -> str:
        if job.state != Job.State.RUNNING:
            return "this attempt is no longer this host's"
        if self.share is not None and self.share == self.share:
            job.progress, job.note = min(max(self.share, 0.0), 1.0), text(self.note, 200)
            written.change(job, "progress", "note")
        if self.lines:
            log, _ = JobLog.objects.get_or_create(job=job)
            log.text = (log.text + text(self.lines, len(self.lines)))[-MOST_LOG:]
            log.save(update_fields=["text"])
        return ""

    def step_of_copy(self, actor: Actor, job: Job, copy: SecondCopy, written: Written) -> str:
        # How far the job is, is what its present attempt says.
        return ""


@dataclass
class Finish(_Attempt):
    """The attempt ended, well or badly. Said twice, it has ended once. used: what the run used, by resource."""

    succeeded: bool = True
    result: Any = None
    error: str = ""
    used: dict[str, float] = field(default_factory=dict)

    NAME = "job.finish"

    def step(self, actor: Actor, job: Job, written: Written) -> str:
        wanted = Job.State.SUCCEEDED if self.succeeded else Job.State.FAILED
        if job.state == wanted:
            return ""
        if job.state != Job.State.RUNNING:
            return f"this job is {job.state}"
        job.error = text(self.error, 10_000)
        written.end(job)
        if self.succeeded:
            self._succeed(job)
            written.change(job, "state", "error", "result", "used", "ended_at")
        else:
            self._fail(job)
            written.change(job, "state", "error", "failures", "ended_at", *BEGUN_AGAIN)
        after = {"state": job.state, "attempt": job.attempt}
        written.lines.append(self.line(actor, "job", str(job.pk), after=after))
        return ""

    def step_of_copy(self, actor: Actor, job: Job, copy: SecondCopy, written: Written) -> str:
        if copy.started_at is None:
            return "this copy was not claimed"
        written.give_back(take_over(job, copy, f"It ended first; attempt {job.attempt} was stopped."))
        written.change(job, *TAKEN_OVER)
        return self.step(actor, job, written)

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

    def step(self, actor: Actor, job: Job, written: Written) -> str:
        if job.state not in Job.ON_HOST:
            return "this attempt is over"
        # One that was never begun can't have done it.
        if self.fault and job.state == Job.State.RUNNING:
            job.losses += 1
        aside = job.losses >= MOST_LOSSES
        copy = None if aside else live_copy(job)
        if copy is not None and copy.started_at is not None:
            written.give_back(take_over(job, copy, f"It goes on alone: attempt {job.attempt} was lost."))
            written.change(job, "losses", *TAKEN_OVER)
            return self._said(actor, job, written)
        job.state = advance(JOB, job.state, "set_aside" if aside else "lose")
        written.end(job)
        begin_again(job, wait_s(LOSS_BACKOFF_S, job.losses, random.random()))
        written.change(job, "state", "losses", *BEGUN_AGAIN)
        if self.taken_back and job.placement is not None:
            job.taken_from, job.taken_at = job.placement.host.name, timezone.now()
            written.change(job, "taken_from", "taken_at")
        if aside:
            job.error = f"Set aside: its workers were lost {job.losses} times, last: {text(self.why, 2000)}"
            written.change(job, "error")
        return self._said(actor, job, written)

    def step_of_copy(self, actor: Actor, job: Job, copy: SecondCopy, written: Written) -> str:
        """The job's present attempt goes on alone."""
        written.give_back(end_copy(copy, f"It was lost: {text(self.why, 500)}"))
        return self._said(actor, job, written)

    def _said(self, actor: Actor, job: Job, written: Written) -> str:
        after = {"state": job.state, "attempt": job.attempt}
        written.lines.append(self.line(actor, "job", str(job.pk), after=after, reason=text(self.why, 500)))
        return ""


def take_job_events(said: Sequence[tuple[Actor, JobEvent]]) -> list[str | Exception]:
    """What agents said of jobs of their hosts, in one transaction where that can be: to each "" or why not.

    Where all of it can't be written together each is taken by itself, so that one which can't be written at all, to
    which the answer is the exception, holds up no other.
    """
    steps = [(actor, _step(event)) for actor, event in said]
    taken = [each for each in steps if not isinstance(each[1], str)]
    try:
        answers: list[str | Exception] = list(TakeSteps(taken).run(SYSTEM)) if taken else []  # type: ignore[arg-type]
    except Exception:
        log.exception("%d steps of jobs can't be taken together", len(taken))
        answers = [_alone(actor, step) for actor, step in taken]  # type: ignore[arg-type]
    found = iter(answers)
    return [step if isinstance(step, str) else next(found) for _, step in steps]


def _alone(actor: Actor, step: _Attempt) -> str | Exception:
    try:
        return step.run(actor)
    except Exception as error:
        log.exception("%s can't be taken", step.NAME)
        return error


def _step(event: JobEvent) -> _Attempt | str:
    """What is to be done about an event; a text says why nothing is."""
    where = (event.job, event.attempt)
    match event.event:
        case "claim":
            return Claim(*where)
        case "renew":
            return Renew(*where)
        case "succeeded":
            return Finish(*where, succeeded=True, result=event.result, used=event.used)
        case "failed":
            return Finish(*where, succeeded=False, error=event.error)
        case "report":
            return Report(*where, share=event.share, note=event.note, lines=event.lines)
        case "lost":
            return Lose(*where, why=event.error or "its worker is gone")
        case other:
            return f"no such event: {other[:32]!r}"


#: What begin_again() changes.
BEGUN_AGAIN = ("attempt", "copy_attempt", "dispatched_at", "started_at", "not_before", "waiting_for")


def begin_again(job: Job, after_s: float) -> None:
    """Make the row of a job whose attempt is over ready for the next one, in so many seconds; not saved here."""
    # The number of a copy is used up as well.
    job.attempt, job.copy_attempt = max(job.attempt, job.copy_attempt or 0), None
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
    at = moment_in(timezone.now())
    with connection.cursor() as cursor:
        # In one order, as everybody does who changes several.
        cursor.executemany(
            "UPDATE jobs_job SET state = 'dispatched', dispatched_at = %s, waiting_for = ''"
            " WHERE id = %s AND attempt = %s AND state IN ('placed', 'dispatched')",
            [(at, key_in(job), attempt) for job, attempt in sorted(attempts)],
        )


def tell_unsent(job: str | None, why: str) -> None:
    """To a job that waits on its host for a message that can't be sent. Inside the caller's transaction."""
    if key := _key(str(job)):
        waits = Job.objects.filter(pk=key, state=Job.State.PLACED)
        waits.update(waiting_for=f"Its message can't be sent: {why}")
