"""What was done and decided around a moment of the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from console.events.models import Event
from console.events.views import link_to
from console.placements.models import Decision

#: Lines of each kind; a busy minute has more, and its page of events or decisions has them.
MOST_LINES = 40


@dataclass(frozen=True)
class Line:
    """One thing at a moment, in a sentence; link: its page, "" where it has none."""

    at: datetime
    kind: str
    text: str
    link: str


@dataclass(frozen=True)
class Around:
    """What lies nearest a moment, in the order of time; more: whether something was left out."""

    events: list[Line]
    events_more: bool
    decisions: list[Line]
    decisions_more: bool


def around(at: datetime, within: timedelta) -> Around:
    """Events and decisions from within before a moment to within after it, of each kind the MOST_LINES nearest. Four
    queries on the indexes of their times."""
    events, events_more = _nearest(Event.objects.all(), at, within)
    decisions, decisions_more = _nearest(Decision.objects.defer("document"), at, within)
    return Around(
        [_of_event(event) for event in events],
        events_more,
        [
            Line(each.at, each.outcome, each.sentence, reverse("decision", args=[each.pk]))
            for each in decisions
        ],
        decisions_more,
    )


def _nearest(queryset: Any, at: datetime, within: timedelta) -> tuple[list[Any], bool]:
    """The rows nearest a moment on both sides of it, in the order of time, and whether there were more."""
    before = queryset.filter(at__gte=at - within, at__lte=at).order_by("-at")[: MOST_LINES + 1]
    after = queryset.filter(at__gt=at, at__lte=at + within).order_by("at")[: MOST_LINES + 1]
    found = sorted([*before, *after], key=lambda row: abs(row.at - at))
    return sorted(found[:MOST_LINES], key=lambda row: row.at), len(found) > MOST_LINES


def _of_event(event: Event) -> Line:
    text = f"{event.action} {event.subject} by {event.actor}"
    return Line(event.at, event.action, f"{text}: {event.reason}" if event.reason else text, link_to(event))
