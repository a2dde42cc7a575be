"""The lists of services, endpoints and certificates: what narrows them, and what an export says of a row."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from console.fleet.models import Host
from console.lists.facets import Facet, equal, having
from console.lists.listing import Listing, fields
from console.traffic.api_secrets import warnings_of
from console.traffic.models import Certificate, Endpoint, Service
from console.traffic.references import certificate_users


def _in_state(found: Any, state: str) -> Any:
    """The endpoints that are in it, by their own state or their host's."""
    by_host = Q(host__state=Host.State.DRAINING)
    if state == Endpoint.State.DRAINING:
        return found.filter(Q(state=state) | Q(state=Endpoint.State.ACTIVE) & by_host)
    return found.filter(state=state).exclude(by_host & Q(state=Endpoint.State.ACTIVE))


def _certificates() -> list[dict[str, Any]]:
    """What certificates say of themselves; no key, and of a chain only that there is one."""
    used = certificate_users()
    return [
        {
            "name": each.name, "names": each.names, "valid_from": each.valid_from, "valid_until": each.valid_until,
            "fingerprint": each.fingerprint, "has_chain": bool(each.chain), "has_ca": bool(each.ca),
            "used_by": used.get(each.name, []), "warnings": warnings_of(each),
        }
        for each in Certificate.objects.all()
    ]  # fmt: skip


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
    (
        having("q", "service__name", "host__name"),
        equal("service", "service__name"),
        equal("host", "host__name"),
        Facet("state", _in_state, Endpoint.State.values),
    ),
)
CERTIFICATES = Listing("certificates", _certificates, dict)
