"""Who carries the same as a host: the services, shards, sets and jobs that are on it and on others."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from console.fleet.models import Host
from console.placements.models import Placement
from console.storage.models import Replica, Shard
from console.traffic.models import Endpoint

#: Things of one kind on one host, and other hosts of them all: a picture of more is read by nobody.
MOST_THINGS = 20
MOST_HOSTS = 500


@dataclass(frozen=True)
class Shared:
    """One thing that the host carries. hosts: the other hosts that carry it, by name; more: how many beyond these."""

    kind: str
    name: str
    hosts: list[str]
    more: int = 0


def shared_of(host: Host) -> list[Shared]:
    """What a host carries and with whom, by kind and name. At most seven queries, however much it is."""
    found: dict[tuple[str, str], set[str]] = {}
    for kind, name, other in (*_endpoints(host), *_replicas(host), *_placements(host)):
        found.setdefault((kind, name), set()).add(other)
    return [_shared(kind, name, others - {host.name}) for (kind, name), others in sorted(found.items())]


def _shared(kind: str, name: str, others: set[str]) -> Shared:
    listed = sorted(others)
    return Shared(kind, name, listed[:MOST_HOSTS], max(0, len(listed) - MOST_HOSTS))


def _endpoints(host: Host) -> list[tuple[str, str, str]]:
    here = list(host.endpoints.order_by().values_list("service_id", flat=True).distinct()[:MOST_THINGS])
    rows = Endpoint.objects.filter(service_id__in=here).order_by("service__name", "host__name")
    names = rows.values_list("service__name", "host__name").distinct()
    return [("service", name, other) for name, other in names[: MOST_THINGS * MOST_HOSTS]]


def _replicas(host: Host) -> list[tuple[str, str, str]]:
    """Shards with a copy here, and those whose source is here."""
    held = Q(replicas__placement__host=host, replicas__placement__state=Placement.State.HELD)
    here = Shard.objects.filter(held | Q(source_host=host)).order_by().distinct()
    sources = dict(here.values_list("name", "source_host__name")[:MOST_THINGS])
    copies = Replica.objects.filter(shard__name__in=sources, placement__state=Placement.State.HELD)
    names = copies.order_by().values_list("shard__name", "placement__host__name")
    return [("shard", name, other) for name, other in (*sources.items(), *names[: MOST_THINGS * MOST_HOSTS])]


def _placements(host: Host) -> list[tuple[str, str, str]]:
    """Loads of one name, and sets; the replicas of shards are told by their shards."""
    held = Placement.objects.filter(state=Placement.State.HELD).order_by()
    here = held.filter(host=host)
    loads = list(here.exclude(kind="shard").values_list("kind", "name").distinct()[:MOST_THINGS])
    groups = list(here.filter(group__gt="").values_list("group", flat=True).distinct()[:MOST_THINGS])
    same = held.filter(name__in={name for _, name in loads}).exclude(kind="shard")
    alike = same.values_list("kind", "name", "host__name").distinct()[: MOST_THINGS * MOST_HOSTS]
    wanted = set(loads)
    # A load of the kind service is one that somebody placed; a service of the console is told by its endpoints.
    told = [
        ("load" if kind == "service" else kind, name, other)
        for kind, name, other in alike
        if (kind, name) in wanted
    ]
    members = held.filter(group__in=groups).values_list("group", "host__name").distinct()
    return told + [("set", group, other) for group, other in members[: MOST_THINGS * MOST_HOSTS]]
