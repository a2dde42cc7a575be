"""The engines' page: what each node shall have and has, in its own words where it refuses."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.accounts.models import Role
from console.events.models import Event
from console.nodes.actions.publish import PublishByForce
from console.pages.frame import act, offer, page
from console.traffic.view import seen
from console.traffic.views import stale

MOST_EVENTS = 20


@page()
def engines(request: HttpRequest) -> HttpResponse:
    """All nodes, what the guard holds back, and what rollouts did last."""
    now = seen()
    context = {
        "traffic": now.traffic,
        "age_s": now.age_s,
        "stale": stale(now),
        "events": Event.objects.filter(subject_kind="engine")[:MOST_EVENTS],
        "offer": offer(request, PublishByForce, "publish", "Publish all the same"),
    }
    return render(request, "nodes/engines.html", context)


@page(Role.ADMIN, "POST")
def publish(request: HttpRequest) -> HttpResponse:
    """POST service=NAME reason=TEXT: this one is meant."""
    if request.method == "POST":
        name = request.POST.get("service", "")
        action = PublishByForce([name] if name else [], request.POST.get("reason", "")[:500])
        act(request, action, f"{name or 'What was held back'} is published as it was asked for.")
    return redirect("engines")
