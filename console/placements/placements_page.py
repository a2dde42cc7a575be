"""Placements: what holds parts of which host, why it is there, and for whom."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from balancer_core.load import KINDS
from console.lists.page import listed
from console.pages.frame import page
from console.pages.lists import Rows
from console.placements.listing import PLACEMENTS
from console.placements.models import Placement
from console.traffic.models import Service


@page()
def placements(request: HttpRequest) -> HttpResponse:
    """Newest first; the filters are in the URL."""
    found = PLACEMENTS.found().select_related("host", "replica__shard").prefetch_related("jobs")
    context = listed(request, PLACEMENTS, found)
    services = _services(context["rows"])
    context |= {
        "placements": [(each, _service_of(each, services)) for each in context["rows"]],
        "states": Placement.State.values,
        "kinds": KINDS,
    }
    return render(request, "placements/placements.html", context)


def _services(rows: Rows) -> set[str]:
    """The services that carry the names of these loads, or of their groups. One query, where any is a service's."""
    named = {name for each in rows if each.kind == "service" for name in (each.name, each.group) if name}
    return set(Service.objects.filter(name__in=named).values_list("name", flat=True)) if named else set()


def _service_of(placement: Placement, services: set[str]) -> str:
    if placement.kind != "service":
        return ""
    return next((name for name in (placement.name, placement.group) if name in services), "")
