"""One host: what it has and carries, and taking it out of use and back."""

from __future__ import annotations

import time
from dataclasses import asdict
from math import isnan
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from agents.wire import Flow
from balancer_core.lifecycle import HOST
from console.accounts.models import Role
from console.actions import Action
from console.api.views import find
from console.events.models import Event
from console.fleet.actions.lifecycle import Cordon, Drain, Remove, Uncordon
from console.fleet.leaving import Standing, due_in_s, standing_of, steps_of, stopping_without
from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.fleet.spans import parse_span
from console.history.spans import RANGES, span_of
from console.live.parts import is_full
from console.live.picture import picture
from console.pages.frame import Offer, act, offer, page
from console.pages.shown import age, amount, percent
from console.placements.models import Placement

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
    standing = standing_of(found, timezone.now())
    return render(
        request,
        "fleet/host.html",
        {
            "seen": HostSeen(found),
            "host": found,
            "placements": placements[:MOST_ROWS],
            "placements_more": len(placements) > MOST_ROWS,
            "standing": standing,
            "steps": steps_of(found, standing),
            "left": left_in_words(found, standing),
            "endpoints": standing.endpoints[:MOST_ROWS],
            "events": Event.objects.filter(subject_kind="host", subject=name)[:8],
            "offers": offers(request, found, standing),
            "stopping": stopping_without(found),
            "parts": parts_of(name),
            "span": span_of(request.GET, timezone.now()),
            "ranges": RANGES,
        },
    )


def offers(request: HttpRequest, found: Host, standing: Standing) -> list[Offer]:
    """The host's buttons; where the state forbids one, it says which state it needs."""
    open_events = HOST[found.state]
    made = []
    for verb, action in ACTIONS.items():
        why_not = "" if verb in open_events else f"The host is {found.state}."
        if verb == "remove" and not standing.is_removable:
            why_not = "The host still holds placements, serves endpoints or is the source of a shard."
        made.append(offer(request, action, verb, LABELS[verb], why_not))
    return made


@page(Role.VIEWER, "POST")
def host_action(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """POST: run one verb as the user. The action itself asks for its role."""
    if request.method != "POST" or verb not in ACTIONS:
        raise Http404(f"There is no page {verb} of a host.")
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    action = ACTIONS[verb](name, reason)  # type: ignore[call-arg]
    if isinstance(action, Drain) and (deadline := request.POST.get("deadline", "").strip()):
        try:
            action.deadline_s = parse_span(deadline)
        except ValueError as error:
            messages.error(request, f"Not done: {error}")
            return redirect("host", name=name)
    if isinstance(action, Drain):
        action.then_end = request.POST.get("then") == "end"
    done = act(request, action, DONE[verb].format(name))
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
    resources, times, points = picture.history(name)
    shown = [(column, resource) for column, resource in enumerate(resources) if capacity.get(resource)]
    history = [
        [
            round(now - at, 1),
            {
                resource: round(used[column] / capacity[resource], 4)
                for column, resource in shown
                if not isnan(used[column])
            },
        ]
        for at, used in zip(times.tolist(), points.tolist(), strict=True)
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
    answer: dict[str, Any] = {
        "age_s": seen.age_s,
        "words": seen.words,
        "lines": lines,
        "history": history,
        "parts": parts_of(name),
    }
    if seen.host.state != Host.State.ACTIVE:
        # Three or four queries more, and only while somebody watches a host leave.
        standing = standing_of(seen.host, timezone.now())
        answer["steps"] = [asdict(step) for step in steps_of(seen.host, standing)]
        answer["left"] = left_in_words(seen.host, standing)
    return JsonResponse(answer)


def parts_of(name: str) -> dict[str, list[dict[str, Any]]] | None:
    """The host's single disks and cards as the page has them: names, words, and figures for what is drawn."""
    known = picture.parts(name)
    if known is None:
        return None
    parts, _ = known
    return {
        "mounts": [
            {
                "name": each.path,
                "words": f"{percent(each.used / each.size)} of {amount(each.size, 'disk')}",
                "share": each.used / each.size,
                "full": is_full(each),
            }
            for each in parts.mounts
        ],
        "disks": [_flow(each, "disk_io", "read", "written") for each in parts.disks],
        "cards": [_flow(each, "net_in", "in", "out") for each in parts.cards],
    }


def _flow(flow: Flow, resource: str, inwards: str, outwards: str) -> dict[str, Any]:
    said = f"{inwards} {amount(flow.inwards, resource)}, {outwards} {amount(flow.outwards, resource)}"
    return {"name": flow.name, "words": said, "flow": [flow.inwards, flow.outwards]}


def left_in_words(found: Host, standing: Standing) -> str:
    """What still stands there, and when the last of it ends by itself."""
    if standing.is_removable:
        return "Nothing is left there."
    if standing.is_empty:
        if standing.unheard:
            return "The drain's time is over; whether requests are still under way is unknown: the engines are silent."
        shards = f"{standing.sources} shard{'' if standing.sources == 1 else 's'}"
        rest = f", but it is the source of {shards}" if standing.sources else ""
        return f"Nothing works on it any more{rest}. Uncordon takes it back."
    closes = standing.closes_in_s
    words = f"Still there: {standing.words}."
    if closes is not None:
        words += f" Its endpoints are closed in {age(closes)}."
    now = timezone.now()
    if found.drain_ended_at is not None:
        return f"What was left was ended {age((now - found.drain_ended_at).total_seconds())} ago. {words}"
    due_s = due_in_s(found, now)
    if due_s is None:
        return words
    ends = found.drain_ends_at is not None
    if due_s >= 0:
        return f"{words} {'What is left is ended' if ends else 'It shall be empty'} in {age(due_s)}."
    then = "the controller ends what is left" if ends else "nothing is ended by force"
    return f"Late by {age(-due_s)}; {then}. {words}"
