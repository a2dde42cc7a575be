"""Every list that is exported, and every action that can be done to many things."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from console.alerts.models import Alert
from console.alerts.rules import SEVERITIES
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
from console.traffic.api_secrets import warnings_of
from console.traffic.models import Certificate, Endpoint, Service
from console.traffic.references import certificate_users
from console.traffic.view import seen

Kind = type[MultiAction[Any]]
KINDS: dict[str, Kind] = {kind.NAME: kind for kind in (Cordon, Drain, Uncordon, Cancel, Retry, Release)}


def _host(host: Host) -> dict[str, Any]:
    seen = HostSeen(host)
    return {
        "name": host.name, "state": " ".join(seen.words), "address": host.address, "labels": host.labels,
        "report_age_s": seen.age_s, "worst_share": seen.strip.worst,
        **{f"{bar.name}_{kind}": getattr(bar, kind) for bar in seen.strip.bars for kind in ("used", "reserved")},
    }  # fmt: skip


def _hosts(**asked: str) -> Any:
    return filtered(asked.get("state", ""), asked.get("label", ""), asked.get("q", ""))


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


def _certificates() -> list[dict[str, Any]]:
    """What certificates say of themselves; no key, and of a chain only that there is one."""
    used = certificate_users()
    return [
        {
            "name": each.name, "names": each.names, "valid_from": each.valid_from, "valid_until": each.valid_until,
            "fingerprint": each.fingerprint, "has_chain": bool(each.chain), "has_ca": bool(each.ca),
            "used_by": used.get(each.name, []), "warnings": warnings_of(each),
        }
        for each in Certificate.objects.all()
    ]  # fmt: skip


def _engines() -> list[dict[str, Any]]:
    """The controller's last word on each node; said_age_s: how old it is. A rate that is too old is unknown."""
    now = seen()
    return [
        {**asdict(each), "rate_per_s": None if now.is_stale else each.rate_per_s, "said_age_s": now.age_s}
        for each in now.traffic.engines
    ]


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
        (having("q", "service__name", "host__name"), equal("state", choices=Endpoint.State.values)),
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
            equal("kind", choices=("service", "job", "shard")),
            equal("outcome", choices=Decision.Outcome.values),
            equal("host"),
            equal("group"),
            having("name", "name"),
            identity("together"),
        ),
    ),
    "certificates": Listing(_certificates, dict),
    "engines": Listing(_engines, dict),
    "alerts": Listing(
        Alert.objects.all,
        _fields(
            "state", "severity", "rule", "subject_kind", "subject", "domain", "value", "sentence", "since", "fired_at",
            "resolved_at", "acknowledged_by", "acknowledged_at", "decision",
        ),
        (
            equal("state", choices=Alert.State.values),
            equal("severity", choices=SEVERITIES),
            equal("rule"),
            having("q", "subject"),
        ),
    ),
    "placements": Listing(
        lambda: Placement.objects.select_related("host"),
        _fields("id", "kind", "name", "host__name", "demand", "group", "priority", "state", "created_at"),
        (equal("state", choices=Placement.State.values), equal("host", "host__name"), having("name", "name")),
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
