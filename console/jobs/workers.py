"""Who runs jobs: each host's worker as its agent sees it, beside what its jobs say.

Read for people and programs that look; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from agents.wire import Worker
from console.jobs.models import Job
from console.jobs.queue import stuck_hosts
from console.live.picture import picture

#: What ended so long ago still counts.
LATELY = timedelta(minutes=10)
#: Jobs that are named of one host, and that are looked at for all.
MOST_NAMED, MOST_LOOKED_AT = 3, 500
#: What a host's workers are, the worst first: they do not begin what they were sent; the one that the agent watches has
#: ended, and is started again; nothing is heard of the host; they take what they are sent.
STUCK, ENDED, SILENT, WELL = "stuck", "ended", "silent", "well"
STATES = (STUCK, ENDED, SILENT, WELL)


@dataclass(frozen=True)
class AtWork:
    """The workers of one host.

    watched: the one that its agent starts and watches; None where it has none, and workers are somebody else's.
    running, sent: jobs that run, and that were sent and are not begun; since: when the oldest of the latter was placed.
    succeeded, failed: jobs that ended there LATELY.
    """

    host: str
    state: str
    watched: Worker | None
    running: int
    sent: int
    since: datetime | None
    succeeded: int
    failed: int


def at_work(at: datetime, now: float) -> list[AtWork]:
    """Every host whose agent watches a worker, that has jobs or had some LATELY; what needs somebody first, then by
    name. at: the moment, by the wall clock; now: on the monotonic clock."""
    watched, held, ended = picture.workers(), _held(), _ended(at - LATELY)
    stuck, silent = stuck_hosts(at), set(picture.silent(now))
    found = []
    for host in {*watched, *held, *ended}:
        worker = watched.get(host)
        if host in stuck:
            state = STUCK
        elif host in silent:
            state = SILENT
        else:
            state = ENDED if worker is not None and worker.running_s is None else WELL
        running, sent, since = held.get(host, (0, 0, None))
        succeeded, failed = ended.get(host, (0, 0))
        found.append(AtWork(host, state, worker, running, sent, since, succeeded, failed))
    return sorted(found, key=lambda each: (STATES.index(each.state), each.host))


def stuck_since(at: datetime) -> dict[str, datetime]:
    """By host, of those whose workers are stuck: when the oldest was placed that they have not begun."""
    if not (stuck := stuck_hosts(at)):
        return {}
    return {host: since for host, (_, _, since) in _held().items() if host in stuck and since is not None}


def runs_now(hosts: Collection[str]) -> dict[str, list[Job]]:
    """By host, of these: the jobs that have run longest there, at most MOST_NAMED of each, the longest first."""
    rows = Job.objects.filter(state=Job.State.RUNNING, placement__host__name__in=hosts).only(
        "task", "started_at", "placement__host__name"
    )
    found: dict[str, list[Job]] = {}
    for job in rows.select_related("placement__host").order_by("started_at")[:MOST_LOOKED_AT]:
        if job.placement is not None:
            found.setdefault(job.placement.host.name, []).append(job)
    return {host: jobs[:MOST_NAMED] for host, jobs in found.items()}


def _held() -> dict[str, tuple[int, int, datetime | None]]:
    """By host: jobs that run, that are sent and not begun, and since when the oldest of these is."""
    begun, sent = Q(state=Job.State.RUNNING), Q(state__in=(Job.State.PLACED, Job.State.DISPATCHED))
    rows = Job.objects.filter(state__in=Job.ON_HOST, placement__isnull=False).order_by()
    counted = rows.values_list("placement__host__name").annotate(
        begun=Count("pk", filter=begun),
        sent=Count("pk", filter=sent),
        since=Min("placement__created_at", filter=sent),
    )
    return {host: (running, waiting, since) for host, running, waiting, since in counted}


def _ended(after: datetime) -> dict[str, tuple[int, int]]:
    """By host: jobs that succeeded there after a moment, and that failed."""
    rows = Job.objects.filter(ended_at__gt=after, placement__isnull=False).order_by()
    counted = rows.values_list("placement__host__name").annotate(
        succeeded=Count("pk", filter=Q(state=Job.State.SUCCEEDED)),
        failed=Count("pk", filter=Q(state=Job.State.FAILED)),
    )
    return {host: (succeeded, failed) for host, succeeded, failed in counted}
