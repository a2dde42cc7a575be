"""The queue: which jobs wait, whose turn it is, and what stands before one of them.

Every job waits here, and nowhere else, until a host has room for it: what a host was sent it begins at once.
Between tenants the smallest weighted dominant share goes first (balancer_core.fairness); among a tenant's own jobs
the higher priority, then the earlier deadline, then who came first.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Max, Q, QuerySet
from numpy.typing import NDArray

from balancer_core.cluster import Snapshot
from balancer_core.fairness import dominant_share
from console.jobs.models import Job, Tenant
from console.rows import key_out, moment_in, places, read

#: Tenants that one look considers, and those whose turns are compared for it.
MOST_TENANTS = 200
MOST_NAMED = 10_000
#: Tenants in one statement: what SQLite takes together has an end.
_AT_ONCE = 100
#: A job whose turn it is and that has waited so long gets a host kept free of others, until it has room there.
PATIENCE_S = 60.0
#: A host that has not begun what it was sent so long ago is sent nothing more.
STUCK_S = 3.0
#: One from which something was taken back while it began nothing else is asked again after so long.
REST_S = 10.0

# Plain SQL: every pass asks all of it, and composing the queries would take longer than answering them.

_READY = "(not_before IS NULL OR not_before <= %s)"
#: In the order of the index job_line, with its own expressions, or the whole queue would be sorted at every look.
_LINE = f"""SELECT * FROM (
    SELECT id, tenant, task, policy, priority, CAST(demand AS text) AS demand, CAST(labels AS text) AS labels,
        waiting_for <> '' AS waits, created_at < %s AS is_late
    FROM jobs_job WHERE state = 'queued' AND tenant = %s AND {_READY}
    ORDER BY priority DESC, (deadline IS NULL), deadline, created_at, id LIMIT %s OFFSET %s) AS first"""
#: From one tenant to the next through the index, however many jobs each has.
_TENANTS = """WITH RECURSIVE named(tenant) AS (
    SELECT MIN(tenant) FROM jobs_job WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT MIN(tenant) FROM jobs_job WHERE state = 'queued' AND tenant > named.tenant)
    FROM named WHERE named.tenant IS NOT NULL)
    SELECT tenant FROM named WHERE tenant IS NOT NULL LIMIT %s"""

_HELD = """SELECT tenant, CAST(demand AS text) AS amounts, COUNT(*) FROM jobs_job
    WHERE state IN ('placed', 'dispatched', 'running') GROUP BY tenant, amounts"""
_TERMS = "SELECT name, weight, CAST(quota AS text), bursts FROM jobs_tenant WHERE name IN ({})"
_LATE = """SELECT DISTINCT fleet_host.name FROM jobs_job
    JOIN placements_placement ON placements_placement.id = jobs_job.placement_id
    JOIN fleet_host ON fleet_host.id = placements_placement.host_id
    WHERE jobs_job.state = 'dispatched' AND jobs_job.dispatched_at < %s"""
_TAKEN = "SELECT 1 FROM jobs_job WHERE taken_at > %s LIMIT 1"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in the queue, as much of it as its turn asks for. Jobs of one shape find room together or not at all.

    waits: it was said to it already what it waits for. is_late: whether it has waited longer than PATIENCE_S.
    """

    pk: uuid.UUID
    tenant: str
    task: str
    policy: str
    priority: int
    demand: dict[str, float]
    labels: dict[str, str]
    shape: tuple[str, str, str]
    waits: bool
    is_late: bool


def ready(now: datetime) -> QuerySet[Job]:
    """Jobs that may be placed, in no order."""
    return Job.objects.filter(Q(not_before=None) | Q(not_before__lte=now), state=Job.State.QUEUED).order_by()


@dataclass(frozen=True, slots=True)
class Further:
    """Where to look beside the beginning, so that many which fit nowhere do not for ever hide one that fits: from this
    place on in each tenant's own line, and among the tenants. 0: not yet beyond the beginning."""

    jobs: int = 0
    tenants: int = 0


BEGINNING = Further()


@dataclass(frozen=True, slots=True)
class Line:
    """What one look saw. jobs: of each tenant the first in their order. cut: tenants of which more may wait.
    further: where the next look is to go on."""

    jobs: dict[str, list[Waiting]]
    cut: frozenset[str]
    further: Further


def whose_turn(
    snapshot: Snapshot, holds: Mapping[str, Mapping[str, float]], further: int = 0
) -> tuple[list[str], int]:
    """Tenants in the queue whose jobs are to be looked at, also those whose jobs wait for their time; and from where on
    to look the next time.

    Of more than MOST_TENANTS half are those with the smallest weighted dominant shares, whose turn it is first, half
    the next ones from place `further` behind these on. holds: as held() says it.
    """
    names = [tenant for (tenant,) in read(_TENANTS, [MOST_NAMED])]
    if len(names) <= MOST_TENANTS:
        return names, 0
    total, shares = snapshot.capacity.sum(axis=0), dict.fromkeys(names, 0.0)
    for name, tenant in terms(holds.keys() & shares.keys()).items():
        shares[name] = dominant_share(vector(snapshot, holds[name]), total)[0] / tenant.weight
    names.sort(key=shares.__getitem__)
    first, rest = names[: MOST_TENANTS // 2], names[MOST_TENANTS // 2 :]
    start = further % len(rest)
    some = (rest[start:] + rest[:start])[: MOST_TENANTS - len(first)]
    return first + some, start + len(some)


def line(names: list[str], now: datetime, most: int, further: Further = BEGINNING) -> Line:
    """Of each of these tenants the first jobs in their order, about `most` in all; and as many from `further` on.
    Nothing is locked."""
    each = max(most // max(len(names), 1), 1)
    found = _first(names, now, each, 0)
    start = max(further.jobs, each)
    cut = [tenant for tenant, jobs in found.items() if len(jobs) == each]
    if further.jobs:
        later = _first(cut, now, each, start)
        for tenant, jobs in later.items():
            found[tenant] += jobs
        cut = [tenant for tenant, jobs in later.items() if len(jobs) == each]
        start += each
    return Line(found, frozenset(cut), Further(start if cut else 0, further.tenants))


def _first(tenants: list[str], now: datetime, each: int, start: int) -> dict[str, list[Waiting]]:
    """So many jobs of each tenant from place `start` on; of a tenant without any nothing."""
    at, late = moment_in(now), moment_in(now - timedelta(seconds=PATIENCE_S))
    found: dict[str, list[Waiting]] = {}
    parsed: dict[str, Any] = {}
    for begin in range(0, len(tenants), _AT_ONCE):
        some = tenants[begin : begin + _AT_ONCE]
        statement = " UNION ALL ".join([_LINE] * len(some))
        rows = read(statement, [value for tenant in some for value in (late, tenant, at, each, start)])
        for pk, tenant, task, policy, priority, demand, labels, waits, is_late in rows:
            for said in (demand, labels):
                if said not in parsed:
                    parsed[said] = json.loads(said)
            shape = (policy, demand, labels)
            job = Waiting(
                key_out(pk),
                tenant,
                task,
                policy,
                priority,
                parsed[demand],
                parsed[labels],
                shape,
                bool(waits),
                bool(is_late),
            )
            found.setdefault(tenant, []).append(job)
    return found


def are_waiting(now: datetime, count: int) -> bool:
    """Whether at least so many jobs may be placed."""
    statement = f"SELECT 1 FROM jobs_job WHERE state = 'queued' AND {_READY} LIMIT %s"
    return len(read(statement, [moment_in(now), count])) == count


def held() -> dict[str, dict[str, float]]:
    """What each tenant's jobs hold on hosts, by resource. The database counts those that hold alike."""
    found: dict[str, dict[str, float]] = {}
    for tenant, said, count in read(_HELD):
        sums = found.setdefault(tenant, {})
        for resource, amount in json.loads(said).items():
            sums[resource] = sums.get(resource, 0.0) + amount * count
    return found


def terms(names: Iterable[str]) -> dict[str, Tenant]:
    """Each tenant's weight and quota; what everybody has where nobody said otherwise."""
    found = {name: Tenant(name=name) for name in names}
    if found:
        for name, weight, quota, bursts in read(_TERMS.format(places(found)), list(found)):
            found[name] = Tenant(name, weight, json.loads(quota), bool(bursts))
    return found


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
    late, lately = now - timedelta(seconds=STUCK_S), now - timedelta(seconds=REST_S)
    stuck = {host for (host,) in read(_LATE, [moment_in(late)])}
    if read(_TAKEN, [moment_in(lately)]):
        stuck |= _resting(lately)
    return frozenset(stuck)


def _resting(lately: datetime) -> set[str]:
    """Hosts from which something was taken back since then and that began nothing else."""
    taken = Job.objects.filter(taken_at__gt=lately).order_by().values_list("taken_from")
    last_taken = dict(taken.annotate(last=Max("taken_at")))
    moment = timedelta(seconds=STUCK_S)
    begun = Job.objects.filter(
        started_at__gt=lately - moment, placement__host__name__in=list(last_taken)
    ).order_by()
    last_begun = dict(begun.values_list("placement__host__name").annotate(last=Max("started_at")))
    return {
        host for host, at in last_taken.items() if host not in last_begun or last_begun[host] < at - moment
    }
