"""The lists of decisions and placements: what narrows them, and what an export says of a row."""

from __future__ import annotations

from balancer_core.load import KINDS
from console.lists.facets import equal, having, identity
from console.lists.listing import Listing, fields
from console.placements.models import Decision, Placement

DECISIONS = Listing(
    "decisions",
    lambda: Decision.objects.defer("document"),
    fields("id", "at", "kind", "name", "policy", "outcome", "host", "group", "together", "sentence"),
    (
        equal("kind", choices=KINDS),
        equal("outcome", choices=Decision.Outcome.values),
        equal("host"),
        equal("group"),
        having("name", "name"),
        identity("together"),
    ),
)
PLACEMENTS = Listing(
    "placements",
    lambda: Placement.objects.select_related("host"),
    fields("id", "kind", "name", "host__name", "demand", "group", "priority", "state", "created_at"),
    (
        equal("state", choices=Placement.State.values),
        equal("kind", choices=KINDS),
        equal("host", "host__name"),
        equal("group"),
        having("name", "name"),
    ),
)
