"""The list of alerts, what fires first: what narrows it, and what an export says of an alert."""

from __future__ import annotations

from django.db.models import Case, IntegerField, Value, When

from console.alerts.models import Alert
from console.alerts.rules import RULES, SEVERITIES
from console.lists.facets import equal, having
from console.lists.listing import Listing, fields

#: What fires stands first, then what may, then what is over.
_ORDER = Case(
    When(state=Alert.State.FIRING, then=Value(0)),
    When(state=Alert.State.PENDING, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)

ALERTS = Listing(
    "alerts",
    lambda: Alert.objects.annotate(place=_ORDER).order_by("place", "-id"),
    fields(
        "id", "rule", "severity", "subject_kind", "subject", "domain", "state", "value", "sentence", "since",
        "fired_at", "resolved_at", "acknowledged_by", "acknowledged_at",
    ),
    (
        equal("state", choices=Alert.State.values),
        equal("severity", choices=SEVERITIES),
        equal("rule", choices=list(RULES)),
        having("q", "subject"),
    ),
)  # fmt: skip
