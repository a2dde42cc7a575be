"""Where the tasks come from. Each source reads what it needs with a few queries, however many hosts there are.

A source is a function without arguments that returns tasks; an app adds its own with one line in SOURCES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from console.events.models import Event, Outbox
from console.fleet.models import Host
from console.jobs.models import Job
from console.live import feed
from console.placements.models import Placement
from console.storage.models import Replica, Shard
from console.traffic.models import Endpoint
from console.traffic.view import seen
from console.underway.task import Cancel, Task

#: Of one source; what is beyond is one line that says how many.
MOST = 20
MOST_JOBS = 5
#: A message that was not sent in so long is more than a relay at work.
OWED_S = 15.0
#: Weights are sent all the while, and taken within a moment: an engine is being configured where it takes longer.
LACKS_S = 3.0


def gather() -> list[Task]:
    """All tasks, what runs before what is only to be known."""
    return sorted((task for source in SOURCES for task in source()), key=lambda task: task.notice)


def drains() -> Iterable[Task]:
    """Hosts that are draining: how many of the placements that they held have left since."""
    hosts = list(Host.objects.filter(state=Host.State.DRAINING).order_by("name")[: MOST + 1])
    if not hosts:
        return
    begun = _begun("host.drain", [host.name for host in hosts])
    rows = Placement.objects.order_by()
    left_since = Q()
    for host in hosts:
        if host.name in begun:
            left_since |= Q(host=host, released_at__gte=begun[host.name])
    held = _by_host(rows.filter(host__in=hosts, state=Placement.State.HELD))
    left = _by_host(rows.filter(left_since)) if left_since else {}
    flowing = _in_flight({host.name for host in hosts})
    for host in hosts[:MOST]:
        still, gone, requests = held.get(host.pk, 0), left.get(host.pk, 0), flowing.get(host.name, 0)
        empty = not still and not requests
        parts = [f"{still} placement{'s' * (still != 1)} left"] if still else []
        parts += [f"{requests} request{'s' * (requests != 1)} in flight"] if requests else []
        yield Task(
            key=f"drain {host.name}",
            kind="ready" if empty else "draining",
            title=f"{host.name} is empty" if empty else f"Draining {host.name}",
            path=reverse("host", args=[host.name]),
            detail="safe to power off" if empty else ", ".join(parts),
            done=gone,
            total=0 if empty else gone + still,
            since=begun.get(host.name),
            notice=empty,
            cancel=_cancel_drain(host.name),
            log=_log(subject_kind="host", subject=host.name),
        )
    yield from _further(hosts, "hosts are draining", reverse("hosts") + "?state=draining")


def _cancel_drain(host: str) -> Cancel:
    return Cancel(
        "Take back into use", f"hosts/{host}/uncordon/", reverse("host-action", args=[host, "uncordon"])
    )


def draining_endpoints() -> Iterable[Task]:
    """Endpoints that drain by themselves, by service."""
    rows = Endpoint.objects.filter(state=Endpoint.State.DRAINING).exclude(host__state=Host.State.DRAINING)
    counted = rows.order_by("service__name").values_list("service__name").annotate(Count("pk"))[:MOST]
    for service, count in counted:
        yield Task(
            key=f"endpoints {service}",
            kind="draining",
            title=f"Draining {count} endpoint{'s' * (count != 1)} of {service}",
            path=reverse("service", args=[service]),
            log=_log(subject_kind="service", subject=service),
        )


def copies() -> Iterable[Task]:
    """Shards with replicas that are not there yet, and those that could not be made."""
    states = Count("replicas", filter=Q(replicas__state=Replica.State.READY))
    failed = Count("replicas", filter=Q(replicas__state=Replica.State.FAILED))
    unready = Shard.objects.exclude(replicas__state=None).filter(
        # Copies that move are told by their plan.
        pk__in=Replica.objects.filter(arrival=None)
        .exclude(state__in=(Replica.State.READY, Replica.State.RETIRING))
        .values("shard")
    )
    shards = list(unready.annotate(ready=states, failed=failed).order_by("name")[: MOST + 1])
    for shard in shards[:MOST]:
        stuck = shard.ready + shard.failed >= shard.replica_count
        yield Task(
            key=f"shard {shard.name}",
            kind="failed" if stuck else "copying",
            title=f"{shard.name} lacks {shard.failed} of its replicas" if stuck else f"Copying {shard.name}",
            path=reverse("shard", args=[shard.name]),
            detail=f"{shard.ready} of {shard.replica_count} replicas ready"
            + (f", {shard.failed} failed" if shard.failed and not stuck else ""),
            done=shard.ready,
            total=0 if stuck else shard.replica_count,
            notice=stuck,
            log=_log(subject_kind="shard", subject=shard.name),
        )
    yield from _further(shards, "shards have replicas to be made", reverse("shards"))


def rollouts() -> Iterable[Task]:
    """Engines that try out a configuration or lack a part of it, and services that the guard holds back."""
    traffic, path, log = seen().traffic, reverse("engines"), _log(subject_kind="engine")
    for engine in traffic.engines[:MOST]:
        if engine.refused:
            yield Task(f"engine {engine.node}", "failed", f"{engine.node} refuses its configuration", path,
                       engine.refused[:160], notice=True, log=log)  # fmt: skip
        elif engine.on_trial or engine.lacks_s >= LACKS_S:
            yield Task(
                key=f"engine {engine.node}",
                kind="running",
                title=f"{engine.node} tries a new configuration first"
                if engine.on_trial
                else f"Configuring {engine.node}",
                path=path,
                detail=f"{engine.applied} of {engine.desired} resources taken",
                done=engine.applied,
                total=engine.desired,
                log=log,
            )
    for held in traffic.held[:MOST]:
        yield Task(f"held {held.service}", "refused", f"{held.service} is held back by the guard", path,
                   f"it would go from {held.before} to {held.after} endpoints", notice=True, log=log)  # fmt: skip


def jobs() -> Iterable[Task]:
    """The oldest jobs that run, and how many run and wait beside them."""
    unfinished = Job.objects.filter(state__in=Job.UNENDED)
    counts = dict(unfinished.order_by().values_list("state").annotate(Count("pk")))
    if not counts:
        return
    running = unfinished.filter(state=Job.State.RUNNING).order_by("dispatched_at", "pk")
    for job in running.values_list("pk", "task", "placement__host__name", "dispatched_at")[:MOST_JOBS]:
        pk, task, host, since = job
        yield Task(
            key=f"job {pk}",
            kind="running",
            title=task,
            path=reverse("job", args=[pk]),
            detail=f"job {str(pk)[:8]}" + (f" on {host}" if host else ""),
            since=since,
            cancel=Cancel("Cancel", f"jobs/{pk}/cancel/", reverse("cancel-job", args=[pk])),
            log=_log(subject_kind="job", subject=str(pk)),
        )
    further = counts.pop(Job.State.RUNNING, 0) - MOST_JOBS
    parts = [f"{further} further running"] if further > 0 else []
    parts += [f"{count} {state}" for state, count in sorted(counts.items())]
    if parts:
        yield Task("jobs", "queued", "Jobs", reverse("jobs"), ", ".join(parts))


def lost_hosts() -> Iterable[Task]:
    """Hosts whose agents have gone silent."""
    hosts = list(Host.objects.exclude(lost_since=None).order_by("lost_since", "name")[: MOST + 1])
    for host in hosts[:MOST]:
        yield Task(
            key=f"lost {host.name}",
            kind="lost",
            title=f"{host.name} is lost",
            path=reverse("host", args=[host.name]),
            detail="its agent is not heard of; nothing new goes there",
            since=host.lost_since,
            notice=True,
            log=_log(subject_kind="host", subject=host.name),
        )
    yield from _further(hosts, "hosts are lost", reverse("hosts") + "?state=lost", notice=True)


def broker() -> Iterable[Task]:
    """That this process is cut off from the others."""
    if feed.feed is not None and not feed.feed.bus.connected:
        yield Task("broker", "lost", "The broker is away", reverse("engines"),
                   "what others measure is not seen here; traffic and placements go on", notice=True)  # fmt: skip


def owed() -> Iterable[Task]:
    """That messages to hosts' workers do not go out: their broker is away, or nobody relays."""
    since = timezone.now() - timedelta(seconds=OWED_S)
    # One that was put aside has its reason on its job's page.
    oldest = Outbox.objects.filter(sent_at=None, tries=0, created_at__lt=since).order_by("id").first()
    if oldest is not None:
        yield Task("owed", "lost", "Messages to workers do not go out", reverse("jobs") + "?state=placed",
                   "their broker is away, or no controller leads; jobs that have a host wait",
                   since=oldest.created_at, notice=True)  # fmt: skip


SOURCES: tuple[Callable[[], Iterable[Task]], ...] = (
    drains,
    draining_endpoints,
    copies,
    rollouts,
    jobs,
    lost_hosts,
    broker,
    owed,
)


def _begun(action: str, hosts: list[str]) -> dict[str, datetime]:
    """When the action was last done to each host."""
    events = Event.objects.filter(action=action, subject_kind="host", subject__in=hosts).order_by("id")
    return dict(events.values_list("subject", "at"))


def _by_host(placements: object) -> dict[int, int]:
    return dict(placements.values_list("host").annotate(Count("pk")))  # type: ignore[attr-defined]


def _in_flight(hosts: set[str]) -> dict[str, int]:
    """Requests that the engines have under way on each of these hosts."""
    found: dict[str, int] = {}
    for service in seen().traffic.services.values():
        for endpoint in service.endpoints:
            if endpoint.host in hosts:
                found[endpoint.host] = found.get(endpoint.host, 0) + endpoint.in_flight
    return found


def _further(rows: list[object], what: str, path: str, *, notice: bool = False) -> Iterable[Task]:
    if len(rows) > MOST:
        yield Task(
            f"further {what}", "running", f"Further {what}", path, "the list has them all", notice=notice
        )


def _log(**about: str) -> str:
    return f"{reverse('events')}?{urlencode(about)}"
