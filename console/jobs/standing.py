"""What can be said of the queue: how tenants stand, who goes next, what stands before one job.

Read for people and programs that look; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from balancer_core.cluster import Snapshot
from balancer_core.fairness import Turns, dominant_share
from console.jobs.models import Job, Tenant
from console.jobs.queue import Waiting, held, line, ready, terms, vector, whose_turn


@dataclass(frozen=True)
class Standing:
    """One tenant beside the others. share: of its dominant resource, of the whole cluster; turn: divided by its
    weight, the smallest goes first."""

    name: str
    weight: float
    quota: Mapping[str, float]
    bursts: bool
    preempts: str
    holds: Mapping[str, float]
    share: float
    resource: str
    turn: float
    waiting: int
    running: int


def standings(snapshot: Snapshot) -> list[Standing]:
    """Every tenant that has jobs or was given a weight, whose turn it is first."""
    counts: dict[str, dict[str, int]] = {}
    rows = Job.objects.filter(state__in=Job.UNENDED).order_by()
    for tenant, state, count in rows.values_list("tenant", "state").annotate(count=Count("*")):
        counts.setdefault(tenant, {})[state] = count
    has = held()
    known = terms({*counts, *has, *Tenant.objects.values_list("name", flat=True)})
    total = snapshot.capacity.sum(axis=0)
    found = []
    for name, tenant in known.items():
        share, place = dominant_share(vector(snapshot, has.get(name, {})), total)
        mine = counts.get(name, {})
        found.append(
            Standing(
                name=name,
                weight=tenant.weight,
                quota=tenant.quota,
                bursts=tenant.bursts,
                preempts=tenant.preempts,
                holds=has.get(name, {}),
                share=share,
                resource=snapshot.dimensions.names[place] if share else "",
                turn=share / tenant.weight,
                waiting=mine.get(Job.State.QUEUED, 0),
                running=sum(mine.get(state, 0) for state in Job.ON_HOST),
            )
        )
    return sorted(found, key=lambda each: (each.turn, each.name))


def turn_of(job: Job, snapshot: Snapshot) -> dict[str, Any] | None:
    """What stands before a job that waits for its turn: its tenant's jobs, and tenants with smaller shares.

    None for a job that does not wait.
    """
    now = timezone.now()
    if job.state != Job.State.QUEUED:
        return None
    all_of = {each.name: each for each in standings(snapshot)}
    mine = all_of[job.tenant]
    first = Q(priority__gt=job.priority) | Q(priority=job.priority, created_at__lt=job.created_at)
    if job.deadline is not None:
        same = Q(priority=job.priority, deadline=job.deadline, created_at__lt=job.created_at)
        first = Q(priority__gt=job.priority) | Q(priority=job.priority, deadline__lt=job.deadline) | same
    else:
        first |= Q(priority=job.priority, deadline__isnull=False)
    ahead = ready(now).filter(first, tenant=job.tenant).exclude(pk=job.pk).count()
    others = [
        each for each in all_of.values() if each.waiting and each.turn < mine.turn and each.name != job.tenant
    ]
    sentence = f"{ahead} of {job.tenant}'s own jobs go first." if ahead else f"It is {job.tenant}'s next job."
    if job.not_before is not None and job.not_before > now:
        sentence = (
            f"It is tried again in {(job.not_before - now).total_seconds():,.0f} s, after what went wrong."
        )
    if others:
        least = others[0]
        sentence += (
            f" {job.tenant} holds {mine.share:.0%} of {mine.resource or 'nothing'} at weight {mine.weight:g}; "
            f"{least.name} holds {least.share:.0%} at weight {least.weight:g}, so its jobs go before."
        )
    return {"ahead": ahead, "tenants_before": [each.name for each in others], "sentence": sentence}


def next_up(snapshot: Snapshot, most: int) -> list[Job]:
    """The jobs that wait in the order of their turns, as it would be if each found room."""
    has = held()
    jobs = line(whose_turn(snapshot, has)[0], timezone.now(), most * 4).jobs
    known = terms(jobs)
    turns = Turns(
        snapshot.capacity.sum(axis=0),
        {tenant: len(mine) for tenant, mine in jobs.items()},
        {tenant: vector(snapshot, amounts) for tenant, amounts in has.items()},
        {tenant: each.weight for tenant, each in known.items()},
    )
    found: list[Waiting] = []
    while len(found) < most and (turn := turns.call()) is not None:
        found.append(jobs[turn[0]][turn[1]])
        turns.placed(turn[0], vector(snapshot, found[-1].demand))
    rows = Job.objects.in_bulk([job.pk for job in found])
    return [rows[job.pk] for job in found if job.pk in rows]
