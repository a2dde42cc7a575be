"""The map: every host at a glance, and who carries the same as one of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from console.api.views import find
from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.fleet.siblings import Shared, shared_of
from console.fleet.views import state_counts
from console.pages.frame import page
from console.pages.lists import text_of

#: What the script can measure of a host (static/js/map-measures.js), and how it is called in the form.
MEASURES = {
    "worst": "the worst used",
    "cpu": "cpu",
    "memory": "memory",
    "disk": "disk",
    "net": "net",
    "dominant": "dominant share reserved",
    "headroom": "headroom",
    "age": "age of the report",
    "state": "state",
}
SIZES = {"cores": "cores", **{name: label for name, label in MEASURES.items() if name != "state"}}
#: Labels that are offered before the script has seen which there are.
LABELS = ("zone", "rack")
#: Hosts in the map's text form, for readers without the script; the table of hosts has them all.
LISTED = 50
#: Kinds of what hosts share that have a page of their own, by name.
PAGED = ("service", "shard")


@page()
def cluster_map(request: HttpRequest) -> HttpResponse:
    """All hosts at a glance; the script draws them, the list below it says the same in text.

    ?group=, ?colour= and ?size= are what it shows, ?host= whose siblings: a measure's name or a label's key.
    """
    hosts = HostSeen.several(list(Host.objects.all()[:LISTED]))
    group = text_of(request, "group") if "group" in request.GET else _usual_group()
    colour = text_of(request, "colour") or "worst"
    size = text_of(request, "size")
    return render(
        request,
        "fleet/map.html",
        {
            "hosts": hosts,
            "total": Host.objects.count(),
            "counts": state_counts(),
            "measures": MEASURES,
            "sizes": SIZES,
            "group": group,
            "group_labels": _labels(group),
            "colour": colour,
            "colour_labels": _labels(colour),
            "size": size if size in SIZES else "",
        },
    )


@page()
@never_cache
def host_siblings(request: HttpRequest, name: str) -> JsonResponse:
    """What a host carries and which others carry it too, for the map's links.

    {"host", "shared": [{"kind", "name", "url" or null, "hosts", "more"}]}.
    """
    found: Host = find(Host.objects.all(), "host", name=name)
    return JsonResponse({"host": found.name, "shared": [_told(each) for each in shared_of(found)]})


def _told(shared: Shared) -> dict[str, Any]:
    url = reverse(shared.kind, args=[shared.name]) if shared.kind in PAGED else None
    return {**asdict(shared), "url": url}


def _labels(choice: str) -> list[str]:
    """The labels of a select before the script adds the others; what the URL asks for is among them."""
    return [*LABELS, *([choice] if choice and choice not in MEASURES and choice not in LABELS else [])]


def _usual_group() -> str:
    """The first of LABELS that any host carries, "" where none does."""
    return next((key for key in LABELS if Host.objects.filter(labels__has_key=key).exists()), "")
