"""The list of hosts: what narrows it, and what an export says of a host."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTransform

from console.fleet.columns import COLUMNS
from console.fleet.models import Host
from console.fleet.order import ordered
from console.fleet.seen import HostSeen
from console.lists.facets import Facet, having
from console.lists.listing import Listing
from console.live.picture import picture

#: In one question.
MOST_LABELS = 16
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


def _with_labels(found: QuerySet[Host], asked: str) -> QuerySet[Host]:
    """KEY=VALUE, or KEY alone; several with spaces between: each key must fit, by any value asked for it.

    The live grid narrows alike: static/js/grid-order.js.
    """
    wanted: dict[str, list[str | None]] = {}
    for label in asked.split()[:MOST_LABELS]:
        key, equals, value = label.partition("=")
        wanted.setdefault(key, []).append(value if equals else None)
    for place, (key, values) in enumerate(wanted.items()):
        # Not labels__KEY=: a label may be called like a lookup.
        name = f"chosen_label_{place}"
        found = found.alias(**{name: KeyTransform(key, "labels")})
        fits = Q()
        for value in values:
            fits |= Q(labels__has_key=key) if value is None else Q(**{name: value})
        found = found.filter(fits)
    return found


HOSTS = Listing(
    "hosts",
    lambda: Host.objects.prefetch_related("ledger"),
    _record,
    (Facet("state", _of_state, STATES), Facet("label", _with_labels), having("q", "name", "address")),
    COLUMNS,
    ordered,
)
