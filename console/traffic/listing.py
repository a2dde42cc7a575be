"""The lists of services and endpoints: what narrows them, and what an export says of a row."""

from __future__ import annotations

from console.lists.facets import equal, having
from console.lists.listing import Listing, fields
from console.traffic.models import Endpoint, Service

SERVICES = Listing(
    "services",
    Service.objects.all,
    fields("name", "protocol", "tier", "listen_address", "listen_port", "created_at"),
    (having("q", "name"),),
)
ENDPOINTS = Listing(
    "endpoints",
    lambda: Endpoint.objects.select_related("service", "host"),
    fields("service__name", "host__name", "port", "state", "priority", "draining_since"),
    (having("q", "service__name", "host__name"), equal("state", choices=Endpoint.State.values)),
)
