"""Every list that is exported, and every action that can be done to many things."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from balancer_core.load import KINDS as KINDS_OF_LOADS
from console.events.models import Event
from console.fleet.actions.lifecycle import Cordon, Drain, Uncordon
from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.fleet.views import STATES, filtered
from console.jobs.actions.submit import Cancel, Retry
from console.jobs.models import Job
from console.lists.facets import Facet, equal, having, identity
from console.lists.listing import Listing
from console.multi import MultiAction
from console.placements.actions.release import Release
from console.placements.models import Decision, Placement
from console.storage.models import Shard
from console.traffic.actions.endpoints import CloseEndpoint, DrainEndpoint, ResumeEndpoint
from console.traffic.models import Endpoint, Service

Kind = type[MultiAction[Any]]
KINDS: dict[str, Kind] = {
    kind.NAME: kind
    for kind in (
        Cordon, Drain, Uncordon, Cancel, Retry, Release, DrainEndpoint, CloseEndpoint, ResumeEndpoint,
    )
}  # fmt: skip


def _host(host: Host) -> dict[str, Any]:
    seen = HostSeen(host)
    return {
        "name": host.name, "state": " ".join(seen.words), "address": host.address, "labels": host.labels,
        "report_age_s": seen.age_s, "worst_share": seen.strip.worst,
        **{f"{bar.name}_{kind}": getattr(bar, kind) for bar in seen.strip.bars for kind in ("used", "reserved")},
    }  # fmt: skip


def _hosts(**asked: str) -> Any:
    return filtered(asked.get("state", ""), asked.get("label", ""), asked.get("q", ""))


def _in_state(found: Any, state: str) -> Any:
    """The endpoints that are in it, by their own state or their host's."""
    by_host = Q(host__state=Host.State.DRAINING)
    if state == Endpoint.State.DRAINING:
        return found.filter(Q(state=state) | Q(state=Endpoint.State.ACTIVE) & by_host)
    return found.filter(state=state).exclude(by_host & Q(state=Endpoint.State.ACTIVE))


def _fields(*names: str) -> Any:
    """A record of attributes; a__b is attribute b of a."""

    def record(row: Any) -> dict[str, Any]:
        values = {}
        for name in names:
            value = row
            for part in name.split("__"):
                value = None if value is None else getattr(value, part)
            values[name.replace("__", "_")] = value
        return values

    return record


LISTINGS = {
    "hosts": Listing(
        lambda: Host.objects.prefetch_related("ledger"),
        _host,
        (
            Facet("state", lambda found, text: found.filter(pk__in=_hosts(state=text).values("pk")), STATES),
            Facet("label", lambda found, text: found.filter(pk__in=_hosts(label=text).values("pk"))),
            having("q", "name", "address"),
        ),
    ),
    "services": Listing(
        Service.objects.all,
        _fields("name", "protocol", "tier", "listen_address", "listen_port", "created_at"),
        (having("q", "name"),),
    ),
    "endpoints": Listing(
        lambda: Endpoint.objects.select_related("service", "host"),
        _fields("service__name", "host__name", "port", "state", "priority", "draining_since"),
        (
            having("q", "service__name", "host__name"),
            equal("service", "service__name"),
            equal("host", "host__name"),
            Facet("state", _in_state, Endpoint.State.values),
        ),
    ),
    "jobs": Listing(
        lambda: Job.objects.select_related("placement__host"),
        _fields(
            "id", "task", "state", "placement__host__name", "attempt", "demand", "error", "waiting_for", "created_at"
        ),
        (
            equal("state", choices=Job.State.values),
            having("task", "task"),
            equal("host", "placement__host__name"),
        ),
    ),
    "shards": Listing(
        lambda: Shard.objects.select_related("source_host"),
        _fields("name", "bytes", "replica_count", "spread_level", "source_host__name", "digest", "created_at"),
        (having("q", "name"),),
    ),
    "decisions": Listing(
        lambda: Decision.objects.defer("document"),
        _fields("id", "at", "kind", "name", "policy", "outcome", "host", "group", "together", "sentence"),
        (
            equal("kind", choices=KINDS_OF_LOADS),
            equal("outcome", choices=Decision.Outcome.values),
            equal("host"),
            equal("group"),
            having("name", "name"),
            identity("together"),
        ),
    ),
    "placements": Listing(
        lambda: Placement.objects.select_related("host"),
        _fields("id", "kind", "name", "host__name", "demand", "group", "priority", "state", "created_at"),
        (
            equal("state", choices=Placement.State.values),
            equal("kind", choices=KINDS_OF_LOADS),
            equal("host", "host__name"),
            equal("group"),
            having("name", "name"),
        ),
    ),
    "events": Listing(
        Event.objects.all,
        _fields(
            "at", "act", "actor_kind", "actor", "address", "action", "subject_kind", "subject", "before",
            "after", "reason",
        ),
        (*(equal(key) for key in ("action", "actor", "subject_kind", "subject")), identity("act")),
    ),
}  # fmt: skip
