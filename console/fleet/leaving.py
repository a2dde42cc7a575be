"""What stands on a host, how far its leaving has come, and what would stop if it left.

Two questions that look alike. A host may be *forgotten* when nothing in the database names it any more (Remove). It
is *safe to power off* when nothing on it works any more: an endpoint whose drain's time is over still has its row, so
that the host can come back to it, and gets nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from console.events.models import Event
from console.fleet.models import Host
from console.traffic.draining import drain_of
from console.traffic.models import Endpoint, Service
from console.traffic.view import Seen, drain_s_of, seen


@dataclass(frozen=True)
class Standing:
    """What the ledger and the services say of one host.

    endpoints: with their services. working: those of them that can still have requests: their drain's time is not
    over, or the engines count some under way. closes_in_s: until the last of their drains is over, None where that
    is never, has not begun, or was. unheard: whether there are endpoints and the engines have not spoken lately.
    sources: shards whose first copy lies there.
    """

    placements: int
    endpoints: Sequence[Endpoint]
    working: int
    closes_in_s: float | None
    sources: int
    unheard: bool = False

    @property
    def is_removable(self) -> bool:
        """Whether nothing names the host any more."""
        return not (self.placements or self.endpoints or self.sources)

    @property
    def is_empty(self) -> bool:
        """Whether nothing on it works any more."""
        return not (self.placements or self.working)

    @property
    def left(self) -> int:
        """How many things have still to leave."""
        return self.placements + self.working

    @property
    def words(self) -> str:
        """What still stands there."""
        counted = (
            (self.placements, "placement"),
            (self.working, "endpoint"),
            (self.sources, "shard's source"),
        )
        return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counted if n) or "nothing"


def standing_of(host: Host, now: datetime) -> Standing:
    """Three queries. now: the wall clock, by which drains end."""
    endpoints = list(host.endpoints.select_related("service", "host"))
    heard = seen()
    ends = []
    busy = 0
    for endpoint in endpoints:
        drain = drain_of(endpoint, drain_s_of(endpoint.service), now)
        left_s = math.inf if drain is None or drain.left_s is None else drain.left_s
        if left_s > 0:
            ends.append(left_s)
        elif not heard.is_stale and _under_way(heard, endpoint):
            busy += 1
    last_s = max(ends, default=math.inf)
    return Standing(
        placements=host.placements.filter(state="held").count(),
        endpoints=endpoints,
        working=len(ends) + busy,
        closes_in_s=last_s if math.isfinite(last_s) else None,
        sources=host.source_shards.count(),
        unheard=bool(endpoints) and heard.is_stale,
    )


def _under_way(heard: Seen, endpoint: Endpoint) -> bool:
    """Whether the engines count requests or connections on it, as a WebSocket that outlives the drain."""
    known = heard.known(endpoint)
    return known is not None and known.in_flight > 0


@dataclass(frozen=True)
class Stopping:
    """Services whose traffic would stop (none), or would hang on hosts that nobody hears of (lost)."""

    none: list[str]
    lost: list[str]


def stopping_without(*hosts: Host) -> Stopping:
    """What draining these hosts, together, would leave alone of all their services. One query.

    An endpoint on a lost host keeps its traffic (the agent may have died alone), but nobody should count on it.
    """
    taking = Endpoint.objects.filter(
        service=OuterRef("pk"), state=Endpoint.State.ACTIVE, weight_percent__gt=0
    )
    here = taking.filter(host__in=hosts)
    others = taking.exclude(host__in=hosts).exclude(host__state=Host.State.DRAINING)
    found = (
        Service.objects.filter(Exists(here))
        .annotate(others=Exists(others), heard=Exists(others.filter(host__lost_since=None)))
        .filter(Q(heard=False))
        .values_list("name", "others")
    )
    none, lost = [], []
    for name, has_others in found:
        (lost if has_others else none).append(name)
    return Stopping(none, lost)


@dataclass(frozen=True)
class Step:
    """when: "done", "now" or "next"."""

    label: str
    when: str


def steps_of(host: Host, standing: Standing) -> list[Step]:
    """cordoned -> draining n/m -> empty -> safe to power off; none for a host in use.

    One query more while it drains: the event of the drain says how much there was.
    """
    if host.state == Host.State.ACTIVE:
        return []
    draining = "draining"
    place = 1 if host.state == Host.State.DRAINING else 0
    if standing.is_empty:
        place = 2 if standing.sources or standing.unheard else 3
    elif place:
        draining = _counted(host, standing)
    labels = ("cordoned", draining, "empty", "safe to power off")
    return [
        Step(label, "done" if number < place else "now" if number == place else "next")
        for number, label in enumerate(labels)
    ]


def due_in_s(host: Host, now: datetime) -> float | None:
    """Seconds until the drain's deadline, below zero when it is over; None where it has none. One query."""
    if host.state != Host.State.DRAINING:
        return None
    began, after = _drain(host)
    deadline_s = after.get("deadline_s")
    if began is None or not isinstance(deadline_s, int | float):
        return None
    return deadline_s - (now - began.at).total_seconds()


def _drain(host: Host) -> tuple[Event | None, dict[str, Any]]:
    """The event of the drain under way: it says by when, and how much there was."""
    began = Event.objects.filter(subject_kind="host", subject=host.name, action="host.drain").first()
    return began, began.after if began and isinstance(began.after, dict) else {}


def _counted(host: Host, standing: Standing) -> str:
    of = _drain(host)[1].get("to_leave")
    # Drains that began before this was counted, or what was put there while nobody looked: only what is left.
    if not isinstance(of, int) or of < standing.left:
        return f"draining, {standing.left} left"
    return f"draining {of - standing.left}/{of}"
