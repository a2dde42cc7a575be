"""One host: what it has and carries, and taking it out of use and back."""

from __future__ import annotations

import time
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from balancer_core.lifecycle import HOST
from console.accounts.models import Role
from console.actions import Action
from console.api.views import find
from console.events.models import Event
from console.fleet.actions.lifecycle import Cordon, Drain, Remove, Uncordon
from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.history.spans import RANGES, span_of
from console.live.picture import picture
from console.pages.frame import Offer, act, offer, page
from console.pages.shown import amount, percent
from console.placements.models import Placement
from console.traffic.models import Endpoint

ACTIONS: dict[str, type[Action[Any]]] = {
    "cordon": Cordon,
    "uncordon": Uncordon,
    "drain": Drain,
    "remove": Remove,
}
LABELS = {"cordon": "Cordon", "uncordon": "Uncordon", "drain": "Drain…", "remove": "Remove"}
DONE = {
    "cordon": "{} is cordoned: nothing new comes to it.",
    "uncordon": "{} takes new load again.",
    "drain": "{} is draining: nothing new comes, and its traffic goes elsewhere.",
    "remove": "{} is forgotten. Its agent's credential has ended.",
}
MOST_ROWS = 20
HOSTS = Host.objects.prefetch_related("ledger")


@page()
def host(request: HttpRequest, name: str) -> HttpResponse:
    """What the host has, uses and has promised; what is on it; what happened to it; what can be done."""
    found: Host = find(HOSTS, "host", name=name)
    held = found.placements.filter(state=Placement.State.HELD)
    placements = list(held.select_related("decision").defer("decision__document")[: MOST_ROWS + 1])
    endpoints = list(found.endpoints.select_related("service")[: MOST_ROWS + 1])
    return render(
        request,
        "fleet/host.html",
        {
            "seen": HostSeen(found),
            "host": found,
            "placements": placements[:MOST_ROWS],
            "placements_more": len(placements) > MOST_ROWS,
            "held_count": held.count() if len(placements) > MOST_ROWS else len(placements),
            "endpoints": endpoints[:MOST_ROWS],
            "endpoints_more": len(endpoints) > MOST_ROWS,
            "events": Event.objects.filter(subject_kind="host", subject=name)[:8],
            "offers": offers(request, found, bool(placements), bool(endpoints)),
            "left_alone": _left_alone(found, endpoints),
            "span": span_of(request.GET, timezone.now()),
            "ranges": RANGES,
        },
    )


def offers(request: HttpRequest, found: Host, holds: bool, serves: bool) -> list[Offer]:
    """The host's buttons; where the state forbids one, it says which state it needs."""
    open_events = HOST[found.state]
    made = []
    for verb, action in ACTIONS.items():
        why_not = "" if verb in open_events else f"The host is {found.state}."
        if verb == "remove" and (holds or serves or found.source_shards.exists()):
            why_not = "The host still holds placements, serves endpoints or is the source of a shard."
        made.append(offer(request, action, verb, LABELS[verb], why_not))
    return made


@page(Role.VIEWER, "POST")
def host_action(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """POST: run one verb as the user. The action itself asks for its role."""
    if request.method != "POST" or verb not in ACTIONS:
        raise Http404(f"There is no page {verb} of a host.")
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    done = act(request, ACTIONS[verb](name, reason), DONE[verb].format(name))  # type: ignore[call-arg]
    return redirect("hosts") if done and verb == "remove" else redirect("host", name=name)


@page()
@never_cache
def host_live(request: HttpRequest, name: str) -> JsonResponse:
    """The exact figures of one host and its last minutes, for its open page.

    The socket carries one byte a bar for all hosts; exact floats are only for who looks at this one.
    history: [age in seconds, {resource: share of capacity}], oldest first.
    """
    seen = HostSeen(find(HOSTS, "host", name=name))
    capacity = {line.resource: line.capacity for line in seen.lines}
    now = time.monotonic()
    history = [
        [
            round(now - at, 1),
            {name: round(value / capacity[name], 4) for name, value in used.items() if capacity.get(name)},
        ]
        for at, used in picture.measured(name).history
    ]
    lines = {
        line.resource: {
            "used": amount(line.used, line.resource),
            "share": percent(line.used_share),
            "reserved": amount(line.reserved, line.resource),
            "reserved_share": percent(line.reserved_share),
            "free": amount(line.free, line.resource),
            "capacity": amount(line.capacity, line.resource),
            "parts": [line.used_share, line.reserved_share],
        }
        for line in seen.lines
    }
    return JsonResponse({"age_s": seen.age_s, "words": seen.words, "lines": lines, "history": history})


def _left_alone(found: Host, endpoints: list[Endpoint]) -> list[str]:
    """The services that would have no endpoint left that takes new requests, were this host drained."""
    services = {endpoint.service_id: endpoint.service.name for endpoint in endpoints}
    carried = set(
        Endpoint.objects.filter(service_id__in=services, state=Endpoint.State.ACTIVE)
        .exclude(host=found)
        .exclude(host__state=Host.State.DRAINING)
        .values_list("service_id", flat=True)
    )
    return sorted(name for identity, name in services.items() if identity not in carried)
