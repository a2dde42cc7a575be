"""Rebalancing of shards: the question, the proposal before anything moves, and how far a plan is."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from balancer_core.lifecycle import MOVE_PLAN, is_final
from console.accounts.models import Role
from console.actions import Conflict, Invalid, Unknown
from console.api.views import actor_of, find
from console.events.models import Event
from console.fleet.models import Host
from console.lists.page import listed
from console.pages.frame import act, offer, page
from console.pages.lists import rows_of
from console.storage.actions.plans import PLAN_ACTIONS, ProposePlan
from console.storage.actions.undo import UndoMovePlan
from console.storage.frontier_chart import HEIGHT, WIDTH, chart
from console.storage.listing import MOVE_PLANS
from console.storage.models import Move, MovePlan, StoragePool

LABELS = {"apply": "Apply", "pause": "Pause", "resume": "Resume", "cancel": "Cancel"}
#: Evenness as the form offers it: what is said, and the fullest over the mean.
EVEN = (
    ("", "only empty hosts that must"),
    ("1.2", "about even"),
    ("1.05", "even"),
    ("1.01", "as even as can be"),
)
#: The form's numbers where nothing is asked for; mb_s: megabytes a second that a host's moves take together.
USUAL = {"even": "", "mb_s": "50", "per_host": "2", "together": "16", "full": "0.9"}
MOST_SUGGESTED = 500


@page(Role.VIEWER, "POST")
@never_cache
def rebalances(request: HttpRequest) -> HttpResponse:
    """The plans and the form; POST proposes one and shows it."""
    if request.method == "POST":
        try:
            proposed = _asked(request).run(actor_of(request))
        except (Conflict, Invalid) as error:
            messages.error(request, f"Not proposed: {error.reason}")
            return redirect("rebalances")
        except Unknown as error:
            messages.error(request, f"Not proposed: {error}")
            return redirect("rebalances")
        return redirect("rebalance", plan=proposed.pk)
    context = listed(request, MOVE_PLANS)
    context |= {
        "even": EVEN,
        "usual": USUAL,
        "pools": StoragePool.objects.values_list("name", flat=True)[:MOST_SUGGESTED],
        "names": Host.objects.values_list("name", flat=True)[:MOST_SUGGESTED],
        "offer": offer(request, ProposePlan, "propose", "Propose"),
    }
    return render(request, "storage/rebalances.html", context)


def _asked(request: HttpRequest) -> ProposePlan:
    """Raises Invalid for what is no number."""
    drain = request.POST.get("drain", "").replace("\x00", "").replace(",", " ").split()
    numbers = {}
    for field, usual in USUAL.items():
        text = request.POST.get(field, usual).strip() or usual
        try:
            numbers[field] = float(text) if text else None
        except ValueError:
            raise Invalid(field, "invalid", f"{field} is no number: {text[:40]}") from None
    return ProposePlan(
        drain=drain,
        even=numbers["even"],
        pool=request.POST.get("pool", "").replace("\x00", "").strip(),
        bytes_s=(numbers["mb_s"] or 0.0) * 1e6,
        per_host=_whole(numbers["per_host"], 16),
        together=_whole(numbers["together"], 1000),
        full=numbers["full"] or 0.0,
    )


def _whole(number: float | None, most: int) -> int:
    if number is None or not 1 <= number <= most:
        raise Invalid("per_host", "out_of_range", f"a number of moves at once is 1 to {most}")
    return int(number)


@page()
@never_cache
def rebalance(request: HttpRequest, plan: int) -> HttpResponse:
    """One plan: what it comes to, its moves, and what can be done with it now."""
    found: MovePlan = find(MovePlan.objects.all(), "rebalance", pk=plan)
    states = Counter(found.moves.order_by().values_list("state", flat=True))
    ended = is_final(MOVE_PLAN, found.state)
    context: dict[str, Any] = {
        "plan": found,
        "offers": [
            offer(request, action, verb, LABELS[verb])
            for verb, action in PLAN_ACTIONS.items()
            if verb in MOVE_PLAN[found.state]
        ],
        "undo": offer(
            request, UndoMovePlan, "undo", "Undo", "" if states[Move.State.DONE] else "It has moved nothing."
        ),
        "ended": ended,
        "states": [(state, states[state]) for state in Move.State.values if states[state]],
        "count": sum(states.values()),
        "chart": chart(found.before, found.frontier),
        "width": WIDTH,
        "height": HEIGHT,
        "again": _again(found),
        "instead": offer(request, ProposePlan, "propose", "Propose instead"),
        "peaks": [(name, found.before[name], found.after.get(name, 0.0)) for name in found.before],
        "rows": rows_of(request, found.moves.select_related("shard")),
        "events": Event.objects.filter(subject_kind="rebalance", subject=str(found.pk))[:20],
    }
    return render(request, "storage/rebalance.html", context)


def _again(plan: MovePlan) -> dict[str, str]:
    """The form's fields that ask for the same once more, but for how even."""
    return {
        "drain": " ".join(plan.asked.get("drain", [])),
        "pool": plan.pool,
        "mb_s": f"{plan.bytes_s / 1e6:.9g}",
        "per_host": str(plan.per_host),
        "together": str(plan.together),
        "full": f"{plan.full:.9g}",
    }


@page(Role.OPERATOR, "POST")
def undo_rebalance(request: HttpRequest, plan: int) -> HttpResponse:
    """POST: propose a plan that takes back what this one has moved."""
    if request.method != "POST":
        return redirect("rebalance", plan=plan)
    try:
        proposed = UndoMovePlan(plan).run(actor_of(request))
    except (Conflict, Invalid) as error:
        messages.error(request, f"Not proposed: {error.reason}")
        return redirect("rebalance", plan=plan)
    return redirect("rebalance", plan=proposed.pk)


@page(Role.OPERATOR, "POST")
def rebalance_action(request: HttpRequest, plan: int, verb: str) -> HttpResponse:
    """POST: a step of the plan's life."""
    if request.method != "POST":
        return redirect("rebalance", plan=plan)
    if verb not in PLAN_ACTIONS:
        raise Http404(f"Nothing called {verb} can be done with a plan.")
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    action = PLAN_ACTIONS[verb](plan, reason)  # type: ignore[call-arg]
    done = {"apply": "The moves begin.", "pause": "No more moves begin.", "resume": "The moves go on.",
            "cancel": "What had not begun is given up."}[verb]  # fmt: skip
    act(request, action, done)
    return redirect("rebalance", plan=plan)
