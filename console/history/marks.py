"""What happened to a host, as marks on the axis of time: its own events, and placements that came and went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from console.events.models import Event
from console.fleet.models import Host
from console.placements.models import Placement

#: Marks of one answer, each kind; what is more is counted into its neighbours.
MOST_EVENTS = 200
MOST_PLACEMENTS = 5_000
#: Placements nearer together than this part of the stretch are one mark.
PARTS = 120
NAMED = 3


@dataclass(frozen=True)
class Mark:
    """count things of one kind (drain, lost, placed, …) from a moment on, in words, and where there is more."""

    at: datetime
    kind: str
    count: int
    text: str
    link: str


def of_host(host: Host, begin: datetime, end: datetime) -> list[Mark]:
    """A host's marks in their order. Two queries on indexes: the host's own events, the host's placements."""
    events = Event.objects.filter(subject_kind="host", subject=host.name, at__gte=begin, at__lte=end)
    marks = [_of_event(event) for event in events[:MOST_EVENTS]]
    step = (end - begin) / PARTS
    for kind, field in (("placed", "created_at"), ("released", "released_at")):
        within = {f"{field}__gte": begin, f"{field}__lte": end}
        found = host.placements.filter(**within).order_by(f"-{field}").only("name", "decision_id", field)
        marks += _bunched(host, kind, field, found[:MOST_PLACEMENTS], begin, step)
    return sorted(marks, key=lambda mark: mark.at)


def _of_event(event: Event) -> Mark:
    text = f"{event.action.removeprefix('host.').replace('-', ' ')} by {event.actor}"
    if event.reason:
        text += f": {event.reason}"
    return Mark(event.at, event.action.removeprefix("host."), 1, text, f"{reverse('events')}?act={event.act}")


def _bunched(
    host: Host, kind: str, field: str, found: Iterable[Placement], begin: datetime, step: timedelta
) -> list[Mark]:
    bunches: dict[int, list[Any]] = {}
    for placement in found:
        bunches.setdefault((getattr(placement, field) - begin) // step, []).append(placement)
    made = []
    for bunch in bunches.values():
        names = ", ".join(placement.name for placement in bunch[:NAMED])
        more = f" and {len(bunch) - NAMED:,} more" if len(bunch) > NAMED else ""
        link = f"{reverse('decisions')}?{urlencode({'host': host.name, 'outcome': 'placed'})}"
        if len(bunch) == 1:
            link = reverse("decision", args=[bunch[0].decision_id])
        made.append(Mark(getattr(bunch[-1], field), kind, len(bunch), f"{kind} {names}{more}", link))
    return made
