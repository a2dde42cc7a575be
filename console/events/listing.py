"""The audit trail as a list: what narrows it, and what an export says of an event."""

from __future__ import annotations

from console.events.models import Event
from console.lists.facets import equal, identity
from console.lists.listing import Listing, fields

EVENTS = Listing(
    "events",
    Event.objects.all,
    fields(
        "at",
        "act",
        "actor_kind",
        "actor",
        "address",
        "action",
        "subject_kind",
        "subject",
        "before",
        "after",
        "reason",
    ),
    (*(equal(key) for key in ("action", "actor", "subject_kind", "subject")), identity("act")),
)
