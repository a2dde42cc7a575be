"""The list of hosts: what narrows it, its columns, and what an export says of a host."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform

from console.fleet.models import Host
from console.fleet.order import ordered
from console.fleet.seen import HostSeen
from console.lists.columns import Column
from console.lists.facets import Facet, having
from console.lists.listing import Listing
from console.live.frames import BARS
from console.live.picture import picture

STATES = ("active", "cordoned", "draining", "lost", "silent")

SHARES = tuple(
    Column(
        f"{bar}{suffix}", f"{bar.capitalize()} {word}", (f"{bar}_{word}",), number=True, wide=True, usual=False,
        hint=f"Share of the capacity that is {word}",
    )
    for word, suffix in (("used", ""), ("reserved", "_reserved"))
    for bar in BARS
)  # fmt: skip
#: Their keys are what ?sort= and the live grid call them.
COLUMNS = (
    Column("name", "Host", ("name",)),
    Column("state", "State", ("state",)),
    Column(
        "load",
        "Load",
        tuple(f"{bar}_{word}" for bar in BARS for word in ("used", "reserved")),
        hint="cpu, memory, disk, net",
    ),
    Column("worst", "Worst", ("worst_share",), number=True, hint="The largest used share of the four"),
    *SHARES,
    Column("address", "Address", ("address",), wide=True),
    Column("labels", "Labels", ("labels",), wide=True),
    Column("age", "Last report", ("report_age_s",), number=True),
)


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
