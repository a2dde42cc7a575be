"""The list of hosts: what narrows it, and what an export says of a host."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform

from console.fleet.columns import COLUMNS
from console.fleet.models import Host
from console.fleet.order import ordered
from console.fleet.seen import HostSeen
from console.lists.facets import Facet, having
from console.lists.listing import Listing
from console.live.picture import picture

STATES = ("active", "cordoned", "draining", "lost", "silent")


def _record(host: Host) -> dict[str, Any]:
    seen = HostSeen(host)
    return {
        "name": host.name, "state": " ".join(seen.words), "address": host.address, "labels": host.labels,
        "report_age_s": seen.age_s, "worst_share": seen.strip.worst,
        **{f"{bar.name}_{kind}": getattr(bar, kind) for bar in seen.strip.bars for kind in ("used", "reserved")},
    }  # fmt: skip


def _of_state(found: QuerySet[Host], state: str) -> QuerySet[Host]:
    if state == "lost":
        return found.exclude(lost_since=None)
    if state == "silent":
        return found.filter(name__in=picture.silent(time.monotonic()))
    return found.filter(state=state)


def _with_label(found: QuerySet[Host], label: str) -> QuerySet[Host]:
    """KEY=VALUE, or KEY alone."""
    key, equals, value = label.partition("=")
    if not equals:
        return found.filter(labels__has_key=key.strip())
    # Not labels__KEY=: a label may be called like a lookup.
    return found.annotate(chosen_label=KeyTransform(key.strip(), "labels")).filter(chosen_label=value.strip())


HOSTS = Listing(
    "hosts",
    lambda: Host.objects.prefetch_related("ledger"),
    _record,
    (Facet("state", _of_state, STATES), Facet("label", _with_label), having("q", "name", "address")),
    COLUMNS,
    ordered,
)
