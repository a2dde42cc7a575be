"""Whose room a job of a higher priority may take, and whose it takes.

Rules
1. Only jobs that said so (preemptible) leave, for a job of a strictly higher priority: whoever left can't take the room
   back, and no circle is possible.
2. Of its own tenant's jobs, where the tenant's policy lets it (preempts: own). Of another tenant's only with the policy
   others, while its own tenant holds less than its fair part and the other one more than its.
3. Nobody leaves more than MOST_PREEMPTIONS times, so that a long job ends in a cluster that is always full.
4. Nobody leaves where a host has room, nor for what its tenant's quota does not let it have, nor what was given a
   second copy: it is late already.
Who leaves is the core's proposal (balancer_core.preemption): first the lowest priorities, then the least work that is
done again, which is what leaving costs here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from balancer_core.load import InvalidLoad, Load
from balancer_core.preemption import Held
from console.jobs import queue
from console.jobs.models import Job, Tenant
from console.jobs.queue import Waiting
from console.jobs.shares import Share, shares
from console.jobs.spec import load_of
from console.live.picture import picture
from console.placements.proposals import MOST_HELD, weigh
from console.rows import read

MOST_PREEMPTIONS = 3
#: Jobs of the queue that are looked at, the different ones of these that are asked for, and those that take room at one
#: look.
MOST_WAITING = 200
MOST_ASKED = 20
MOST_TAKING = 10

_LOWEST = """SELECT MIN(priority) FROM jobs_job
    WHERE preemptible AND state IN ('placed', 'dispatched', 'running') AND preemptions < %s"""


@dataclass(frozen=True)
class Leaving:
    """An attempt that leaves, and why it may be asked to. preemptions: how often its job left before."""

    job: uuid.UUID
    attempt: int
    preemptions: int
    held: Held
    reason: str


@dataclass(frozen=True)
class Taking:
    """A job that waits, the host whose room it takes, and who leaves. proposal: as proposals.weigh() says it."""

    job: Waiting
    load: Load
    host: str
    leaving: tuple[Leaving, ...]
    proposal: dict[str, Any]


def takings() -> Iterator[Taking]:
    """One after the other, each to be carried out before the next is asked for; whose tenant has the smallest share for
    its weight first."""
    now = timezone.now()
    (lowest,) = read(_LOWEST, [MOST_PREEMPTIONS])[0]
    if lowest is None:
        return
    names, _ = queue.whose_turn(picture.view()[0], queue.held())
    line = queue.line(names, now, MOST_WAITING).jobs
    # Who was not told yet that nothing has room for it was not asked for yet.
    waiting = [job for jobs in line.values() for job in jobs if job.waits and job.priority > lowest]
    stuck, made = queue.stuck_hosts(now), 0
    hopeless: set[tuple[Any, ...]] = set()
    while made < MOST_TAKING:
        standing = shares(picture.view()[0], line)
        turn = {name: each.share / each.tenant.weight for name, each in standing.items()}
        taking = None
        for job in sorted(waiting, key=lambda job: (turn[job.tenant], -job.priority)):
            alike = (job.tenant, job.priority, job.shape)
            if alike in hopeless:
                continue
            if len(hopeless) == MOST_ASKED:
                return
            if taking := _taking(job, standing, stuck, now):
                break
            hopeless.add(alike)
        if taking is None:
            return
        yield taking
        waiting.remove(taking.job)
        made += 1


def _taking(job: Waiting, standing: dict[str, Share], stuck: frozenset[str], now: datetime) -> Taking | None:
    own = standing[job.tenant]
    if own.tenant.preempts == Tenant.Preempts.NONE or queue.over_quota(own.tenant, own.holds, job.demand):
        return None
    victims = {victim.placement_id: victim for victim in _victims(job, standing)}
    costs = {key: _cost(victim, now) for key, victim in victims.items()}
    try:
        load = load_of(job, stuck)
        proposal = weigh(load, [victim.placement for victim in victims.values()], costs)  # type: ignore[misc]
    except InvalidLoad:
        return None
    if not proposal["best"]:
        return None
    host = proposal["best"]["host"]
    leave = [victims[uuid.UUID(each["placement"])] for each in proposal["best"]["leaving"]]
    leaving = tuple(
        Leaving(
            victim.pk,
            victim.attempt,
            victim.preemptions,
            Held(str(victim.pk), host, victim.demand, victim.priority),
            _reason(job, victim, standing),
        )
        for victim in leave
    )
    return Taking(job, load, host, leaving, proposal)


def _victims(job: Waiting, standing: dict[str, Share]) -> list[Job]:
    """The attempts whose room this job may take, where there is a host that it can be had of."""
    own = standing[job.tenant]
    tenants = {job.tenant}
    if own.tenant.preempts == Tenant.Preempts.OTHERS and own.is_below:
        tenants |= {name for name, each in standing.items() if each.is_above}
    rows = Job.objects.filter(
        preemptible=True,
        state__in=Job.ON_HOST,
        priority__lt=job.priority,
        preemptions__lt=MOST_PREEMPTIONS,
        tenant__in=tenants,
        placement__isnull=False,
        copy_attempt=None,
    )
    return list(
        rows.select_related("placement__host")
        .only(
            "task", "tenant", "priority", "demand", "state", "attempt", "started_at", "preemptions", "placement__name",
            "placement__kind", "placement__demand", "placement__priority", "placement__host__name",
        )
        .order_by("priority", "-created_at")[:MOST_HELD]
    )  # fmt: skip


def _cost(victim: Job, now: datetime) -> float:
    """Seconds of work that are done again."""
    begun = victim.started_at if victim.state == Job.State.RUNNING else None
    return 1.0 + (max((now - begun).total_seconds(), 0.0) if begun else 0.0)


def _reason(job: Waiting, victim: Job, standing: dict[str, Share]) -> str:
    said = (
        f"preempted by {job.task} {str(job.pk)[:8]} because that has priority {job.priority}, this one "
        f"{victim.priority}, and no host had room for both"
    )
    if victim.tenant == job.tenant:
        return f"{said}."
    its, mine = standing[victim.tenant], standing[job.tenant]
    return (
        f"{said}; {job.tenant} held {mine.share:.0%} where {mine.fair:.0%} is its fair part, "
        f"{victim.tenant} {its.share:.0%} where it is {its.fair:.0%}."
    )
