"""What becomes of what is left on a host when the time of its drain is over, where that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from console.accounts.models import Role
from console.actions import SYSTEM, Actor
from console.fleet.actions.lifecycle import HostAction
from console.fleet.models import Host
from console.jobs.actions.attempt import Lose
from console.jobs.models import Job, SecondCopy
from console.placements.models import Placement

WHY = "the time of its host's drain was over"


def overdue() -> QuerySet[Host]:
    """The hosts whose drain is to be ended now."""
    return Host.objects.filter(
        state=Host.State.DRAINING, drain_ends_at__lte=timezone.now(), drain_ended_at=None
    )


@dataclass
class EndDrain(HostAction):
    """End what is left of a drain: jobs start anew elsewhere, and endpoints are
    closed, with what is under way there. What others placed stays until they release it.

    Does nothing where the host was taken back into use meanwhile.
    """

    host: str
    reason: str = WHY

    NAME = "host.end-drain"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> Host:
        host = self.find()
        if not overdue().filter(pk=host.pk).exists():
            return host
        # From now on its endpoints are closed (console.traffic.draining).
        host.drain_ended_at = timezone.now()
        host.save(update_fields=["drain_ended_at"])
        jobs = Job.objects.filter(
            placement__host=host, placement__state=Placement.State.HELD, state__in=Job.ON_HOST
        )
        attempts = list(jobs.values_list("pk", "attempt"))
        attempts += SecondCopy.objects.filter(placement__host=host, ended_at=None).values_list(
            "job", "attempt"
        )
        ended = sum(
            Lose(str(job), attempt, why=WHY, fault=False).run(SYSTEM) == "" for job, attempt in attempts
        )
        after = {
            "jobs_ended": ended,
            "endpoints_closed": host.endpoints.count(),
            "placements_left": host.placements.filter(state=Placement.State.HELD).count(),
        }
        self.record(actor, "host", host.name, after=after, reason=self.reason)
        return host
