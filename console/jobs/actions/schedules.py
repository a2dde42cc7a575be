"""Jobs that are handed in again and again: what is to run when, and handing it in once each time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cronsim import CronSim, CronSimError
from django.utils import timezone

from console.actions import SYSTEM, Action, Actor, Invalid, Unknown
from console.jobs.actions.submit import hand_in
from console.jobs.models import Job, Schedule
from console.jobs.spec import Spec
from console.live.bells import ring_jobs

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

#: What a schedule says of its jobs.
FIELDS = (
    "task", "args", "kwargs", "demand", "labels", "policy", "tenant", "priority", "tries", "backoff_s", "preemptible",
    "second_copy", "template", "parameters",
)  # fmt: skip

#: Later than this a run has been missed: the controller was away.
MISSED_S = 60.0


def next_after(cron: str, moment: datetime) -> datetime:
    """The next minute that the expression names, in UTC. Raises Invalid."""
    try:
        return next(CronSim(cron, moment))
    except CronSimError as error:
        raise Invalid("cron", "invalid", f"{error}; five fields: minute, hour, day, month, weekday") from None
    except StopIteration:
        raise Invalid("cron", "never", "it names no moment of the next fifty years") from None


@dataclass
class PutSchedule(Action[Schedule]):
    """Hand a job in at every minute that a cron expression names (UTC), until it is paused or removed.

    request: the job, with the FIELDS that are not as usual.
    """

    name: str
    cron: str
    request: dict[str, Any] = field(default_factory=dict)
    paused: bool = False
    overlaps: bool = False
    catches_up: bool = True
    reason: str = ""

    RECORDED = ("cron", "request", "paused", "overlaps", "catches_up")
    NAME = "schedule.put"

    def execute(self, actor: Actor) -> Schedule:
        if not NAME.fullmatch(self.name):
            raise Invalid("name", "invalid", "small letters, digits, _ and -, at most 63 characters")
        upcoming = next_after(self.cron, timezone.now())
        for name in self.request:
            if name not in FIELDS:
                raise Invalid(f"request.{name[:80]}", "unknown", f"there is {', '.join(FIELDS)}")
        Spec(**{"task": "", **self.request}).row()
        before = Schedule.objects.select_for_update().filter(pk=self.name).first()
        schedule = before or Schedule(name=self.name)
        was = _said(schedule) if before else None
        for name in self.RECORDED:
            setattr(schedule, name, getattr(self, name))
        schedule.next_at = upcoming
        schedule.save()
        self.record(actor, "schedule", self.name, before=was, after=_said(schedule), reason=self.reason)
        return schedule


@dataclass
class RemoveSchedule(Action[None]):
    """Hand the job in no more. What was handed in goes on."""

    name: str
    reason: str = ""

    NAME = "schedule.remove"

    def execute(self, actor: Actor) -> None:
        schedule = Schedule.objects.select_for_update().filter(pk=self.name).first()
        if schedule is None:
            raise Unknown("schedule", self.name)
        was = _said(schedule)
        schedule.delete()
        self.record(actor, "schedule", self.name, before=was, reason=self.reason)


@dataclass
class HandInDue(Action[Job | None]):
    """Hand in a schedule's job whose moment has come: once, however many moments were missed.

    None where it is not due, where what was missed is not made up for, and where the last one has not ended and they
    may not overlap.
    """

    name: str

    NAME = "schedule.hand-in"

    def execute(self, actor: Actor) -> Job | None:
        now = timezone.now()
        schedule = Schedule.objects.select_for_update().filter(pk=self.name).first()
        if schedule is None or schedule.paused or schedule.next_at > now:
            return None
        due = schedule.next_at
        schedule.next_at = next_after(schedule.cron, now)
        job = None
        why_not = self._why_not(schedule, now - due)
        if why_not:
            self.record(actor, "schedule", self.name, after={"due": due.isoformat()}, reason=why_not)
        else:
            (job,) = hand_in([Spec(**schedule.request)], schedule=self.name)
            schedule.last_at, schedule.last_job = due, job.pk
            self.record(actor, "job", str(job.pk), after={"schedule": self.name, "due": due.isoformat()})
        schedule.save()
        return job

    @staticmethod
    def _why_not(schedule: Schedule, late: timedelta) -> str:
        if late.total_seconds() > MISSED_S and not schedule.catches_up:
            return f"noticed {late.total_seconds():,.0f} s late, and it does not catch up"
        last = Job.objects.filter(pk=schedule.last_job).first() if schedule.last_job else None
        if last is not None and last.state not in Job.ENDED and not schedule.overlaps:
            return (
                f"the last one, {last.pk}, is still {last.state.replace('_', ' ')}, and they do not overlap"
            )
        return ""

    def committed(self, result: Job | None) -> None:
        if result is not None:
            ring_jobs()


def hand_in_due() -> int:
    """Hand in what is due. Returns how many jobs. One that can't be handed in any more pauses its schedule."""
    due = Schedule.objects.filter(paused=False, next_at__lte=timezone.now())
    count = 0
    for name in list(due.values_list("name", flat=True)):
        try:
            count += HandInDue(name).run(SYSTEM) is not None
        except Invalid as error:
            Pause(name, reason=f"its job can't be handed in any more: {error}").run(SYSTEM)
    return count


@dataclass
class Pause(Action[None]):
    """Hand the job in no more until the schedule is put again."""

    name: str
    reason: str = ""

    NAME = "schedule.pause"

    def execute(self, actor: Actor) -> None:
        if Schedule.objects.filter(pk=self.name, paused=False).update(paused=True):
            self.record(actor, "schedule", self.name, after={"paused": True}, reason=self.reason)


def _said(schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in PutSchedule.RECORDED}
