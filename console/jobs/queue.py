"""The queue: which jobs wait, whose turn it is, and what stands before one of them.

Every job waits here, and nowhere else, until a host has room for it: what a host was sent it begins at once.
Between tenants the smallest weighted dominant share goes first (balancer_core.fairness); among a tenant's own jobs
the higher priority, then the earlier deadline, then who came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np
from django.db import connection
from django.db.models import F, Max, Q, QuerySet
from numpy.typing import NDArray

from balancer_core.cluster import Snapshot
from console.jobs.models import Job, Tenant

#: Tenants that one look considers; of more, those with the oldest jobs.
MOST_TENANTS = 200
#: A host that has not begun what it was sent so long ago is sent nothing more.
STUCK_S = 3.0
#: One from which something was taken back while it began nothing else is asked again after so long.
REST_S = 10.0

ORDER = (F("priority").desc(), F("deadline").asc(nulls_last=True), F("created_at").asc(), F("pk").asc())


def ready(now: datetime) -> QuerySet[Job]:
    """Jobs that may be placed, in no order."""
    return Job.objects.filter(Q(not_before=None) | Q(not_before__lte=now), state=Job.State.QUEUED).order_by()


def line(now: datetime, most: int, further: int = 0) -> tuple[dict[str, list[Job]], int]:
    """Of each tenant the first jobs in their order, about `most` in all; and as many from place `further` on, so that
    many which fit nowhere do not for ever hide one that fits. Inside a transaction the rows are kept for it.

    Also says from where to look further the next time; 0 where the end was reached.
    """
    tenants = list(ready(now).values_list("tenant", flat=True).distinct()[:MOST_TENANTS])
    each = max(most // max(len(tenants), 1), 1)
    found, more = {}, False
    for tenant in tenants:
        jobs = ready(now).filter(tenant=tenant).order_by(*ORDER)
        if connection.in_atomic_block:
            jobs = jobs.select_for_update(skip_locked=True, of=("self",))
        found[tenant] = list(jobs[:each])
        start = max(further, each)
        if further and len(found[tenant]) == each:
            later = list(jobs[start : start + each])
            found[tenant] += later
            more |= len(later) == each
        else:
            more |= len(found[tenant]) == each
    return found, max(further, each) + (each if further else 0) if more else 0


def held() -> dict[str, dict[str, float]]:
    """What each tenant's jobs hold on hosts, by resource."""
    found: dict[str, dict[str, float]] = {}
    rows = Job.objects.filter(state__in=Job.ON_HOST).order_by()
    for tenant, demand in rows.values_list("tenant", "demand"):
        sums = found.setdefault(tenant, {})
        for resource, amount in demand.items():
            sums[resource] = sums.get(resource, 0.0) + amount
    return found


def terms(names: Iterable[str]) -> dict[str, Tenant]:
    """Each tenant's weight and quota; what everybody has where nobody said otherwise."""
    known = Tenant.objects.in_bulk(list(names))
    return {name: known.get(name) or Tenant(name=name) for name in names}


def vector(snapshot: Snapshot, amounts: Mapping[str, float]) -> NDArray[np.float64]:
    """float64[R] of amounts, without resources that the cluster has none of: of those no share can be had."""
    places = {name: place for place, name in enumerate(snapshot.dimensions.names)}
    found = np.zeros(len(places))
    for name, amount in amounts.items():
        if name in places and snapshot.capacity[:, places[name]].any():
            found[places[name]] = amount
    return found


def over_quota(tenant: Tenant, holds: Mapping[str, float], demand: Mapping[str, float]) -> str:
    """Why the tenant's quota does not let it hold this much more; "" where it does."""
    for resource, most in sorted(tenant.quota.items()):
        has, asks = holds.get(resource, 0.0), demand.get(resource, 0.0)
        if asks > 0.0 and has + asks > most * (1 + 1e-9):
            return f"{tenant.name}'s quota of {resource} is {most:g}; its jobs hold {has:g}, this one asks {asks:g}."
    return ""


def stuck_hosts(now: datetime) -> frozenset[str]:
    """Hosts whose workers have not begun what they were sent STUCK_S ago, or from which such was taken back lately
    and that begin nothing else."""
    late = Job.objects.filter(state=Job.State.DISPATCHED, dispatched_at__lt=now - timedelta(seconds=STUCK_S))
    stuck = set(late.order_by().values_list("placement__host__name", flat=True).distinct())
    lately, moment = now - timedelta(seconds=REST_S), timedelta(seconds=STUCK_S)
    taken = Job.objects.filter(taken_at__gt=lately).order_by().values_list("taken_from")
    if last_taken := dict(taken.annotate(last=Max("taken_at"))):
        begun = Job.objects.filter(
            started_at__gt=lately - moment, placement__host__name__in=list(last_taken)
        ).order_by()
        last_begun = dict(begun.values_list("placement__host__name").annotate(last=Max("started_at")))
        stuck |= {
            host
            for host, at in last_taken.items()
            if host not in last_begun or last_begun[host] < at - moment
        }
    return frozenset(stuck)
