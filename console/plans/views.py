"""Plan: what would come of a change, before and after side by side, and carrying it out where an action does."""

from __future__ import annotations

import json
import shlex
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from balancer_core.policies import POLICIES
from balancer_core.whatif import Change
from console.accounts.models import Role
from console.actions import Invalid
from console.api.views import find
from console.fleet.models import Host
from console.pages.frame import act, offer, page
from console.plans.actions.apply import ApplyPlan
from console.plans.asked import Asked, request_of
from console.plans.drawn import changed_most, sides
from console.plans.plan import Plan, plan

#: Rows of a table on the page; the API has them all.
MOST_ROWS = 200
MOST_PREVIEWED = 8
#: Names offered while one types; more would be a download.
MOST_SUGGESTED = 500


@page()
@never_cache
def plans(request: HttpRequest) -> HttpResponse:
    """The form, and where the URL asks for something its answer. Nothing is moved by looking."""
    asked = Asked.of(request.GET)
    context: dict[str, Any] = {
        "asked": asked,
        "policies": POLICIES,
        "names": Host.objects.values_list("name", flat=True)[:MOST_SUGGESTED],
        "plan": None,
    }
    if not asked.is_empty:
        try:
            context |= _shown(request, plan(asked.change()))
        except Invalid as error:
            context["fault"] = {"field": error.field.partition(".")[0], "reason": error.reason}
    return render(request, "plans/plans.html", context)


def _shown(request: HttpRequest, made: Plan) -> dict[str, Any]:
    outcome = made.outcome
    before, after = sides(outcome.hosts)
    body = json.dumps(request_of(made.change), ensure_ascii=False)
    url = request.build_absolute_uri("/api/v1/plans/")
    return {
        "plan": made,
        "took_ms": round(made.took_s * 1000),
        "outcome": outcome,
        "sides": [("Before", outcome.before, before), ("After", outcome.after, after)],
        "changed": changed_most(outcome.hosts),
        "moves": outcome.moves[:MOST_ROWS],
        "moves_more": max(0, len(outcome.moves) - MOST_ROWS),
        "stranded": outcome.stranded[:MOST_ROWS],
        "stranded_more": max(0, len(outcome.stranded) - MOST_ROWS),
        "offer": offer(request, ApplyPlan, "apply", "Apply", made.why_not),
        "drains": sorted(made.change.drain),
        "command": _command(made.change),
        "curl": f'curl -X POST {shlex.quote(url)} -H "Authorization: Token $STEELYARD_TOKEN" '
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}",
    }


@page(Role.VIEWER, "POST")
def apply_plan(request: HttpRequest) -> HttpResponse:
    """POST drain=NAME...: drain them all or none. The action itself asks for its role."""
    if request.method != "POST":
        return redirect("plans")
    hosts = request.POST.getlist("drain")
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    names = ", ".join(sorted(set(hosts)))
    done = act(request, ApplyPlan(hosts, reason), f"Draining: {names}.")
    if done and len(hosts) == 1:
        return redirect("host", name=hosts[0])
    return redirect("hosts") if done else redirect(reverse("plans"))


@page()
@never_cache
def drain_preview(request: HttpRequest, name: str) -> JsonResponse:
    """What draining one host would come to, for the question before it is drained."""
    find(Host.objects.all(), "host", name=name)
    try:
        made = plan(Change(drain=frozenset({name})))
    except Invalid as error:
        # It joined a moment ago: this process's picture has not heard of it.
        return JsonResponse({"sentence": f"Not known yet: {error.reason}", "moves": [], "stranded": []})
    outcome = made.outcome
    return JsonResponse(
        {
            "sentence": outcome.sentence,
            "moves": [
                {"name": each.name, "target": each.target, "cost": each.cost}
                for each in outcome.moves[:MOST_PREVIEWED]
            ],
            "moves_more": max(0, len(outcome.moves) - MOST_PREVIEWED),
            "stranded": [
                {"name": each.name, "reason": each.reason} for each in outcome.stranded[:MOST_PREVIEWED]
            ],
            "stranded_more": max(0, len(outcome.stranded) - MOST_PREVIEWED),
        }
    )


def _command(change: Change) -> str:
    """The same as a command; "" for newcomers, which it names by number and host."""
    if change.add:
        return ""
    words = ["steelyard", "plan"]
    for option, hosts in (("--drain", change.drain), ("--remove", change.remove)):
        for host in sorted(hosts):
            words += [option, host]
    if change.times != 1.0:
        words += ["--times", repr(change.times)]
    if change.policy:
        words += ["--policy", change.policy, "--margin", repr(change.margin)]
    return shlex.join(words)
