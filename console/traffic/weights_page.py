"""A service's weights: why each endpoint has its own, of now; and what operators leave of it.

The table follows the controller once a second by a poll, as the service's page does and for its reasons.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from console.accounts.models import Role
from console.actions import Invalid, Unknown
from console.api.views import find
from console.events.models import Event
from console.fleet.order import naturally
from console.pages.frame import act, offer, page
from console.pages.shown import age, percent
from console.traffic.actions.weights import SetWeights, UndoWeights
from console.traffic.models import WHOLE_PERCENT, Endpoint, Service
from console.traffic.outlook import Outcome, Outlook
from console.traffic.view import seen
from console.traffic.weighed import RULES, SERVICES, Row, is_old, rows_of_service, sentence
from console.traffic.weights import changes, foresee, groups_of, last_change

MOST_ENDPOINTS = 100
#: Digits of a percentage.
LONGEST_NUMBER = 3
#: Before the name of the field that says what an endpoint's number was; no host's name has a space.
_WAS = "was "


@dataclass(frozen=True)
class Knob:
    """One endpoint's line in the form."""

    outlook: Outlook
    shares: str
    carries: str


@dataclass(frozen=True)
class Band:
    """All endpoints of a priority or a zone, which one slider moves. percent: None where they differ."""

    title: str
    keys: list[str]
    percent: int | None

    @property
    def told(self) -> str:
        return json.dumps(self.keys)


@page(Role.VIEWER, "POST")
@never_cache
def weights(request: HttpRequest, name: str) -> HttpResponse:
    """All endpoints beside each other, the heaviest first. GET with HOST:PORT=PERCENT tries that out; POST sets it."""
    if request.method == "POST":
        return _set(request, name)
    found: Service = find(SERVICES, "service", name=name)
    now = seen()
    rows = rows_of_service(found, now)
    endpoints = list(found.endpoints.all())
    try:
        wanted = changes(endpoints, wanted_of(request.GET))
    except (Invalid, Unknown) as error:
        messages.error(request, f"Not tried: {error}")
        wanted = {}
    outcome = foresee(found, endpoints, wanted, now)
    last = last_change(found)
    return render(
        request,
        "traffic/weights.html",
        {
            "service": found,
            "rules": RULES,
            "rows": rows[:MOST_ENDPOINTS],
            "more": max(0, len(rows) - MOST_ENDPOINTS),
            "sentence": sentence(rows, is_old(now)),
            "stale": is_old(now),
            "heard": heard_in_words(now.age_s, now.traffic.epoch),
            "knobs": _knobs(rows, outcome),
            "bands": _bands(endpoints) if len(rows) <= MOST_ENDPOINTS else [],
            "outcome": outcome,
            "tried": bool(wanted),
            "whole": WHOLE_PERCENT,
            "offer": offer(request, SetWeights, "save", "Set these weights"),
            "undo": in_words(last) if last else "",
        },
    )


def _set(request: HttpRequest, name: str) -> HttpResponse:
    """POST verb=save|undo, HOST:PORT=PERCENT, force, reason. The actions ask for their role."""
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    force = request.POST.get("force") == "yes"
    if request.POST.get("verb") == "undo":
        act(request, UndoWeights(name, force, reason), "The last change of weights is taken back.")
        return redirect("weights", name=name)
    try:
        action = SetWeights(name, wanted_of(request.POST), force, reason)
    except Invalid as error:
        messages.error(request, f"Not done: {error.reason}")
    else:
        done = (
            "The weights are set; the engines are told at once."
            if action.weights
            else "No weight is another one."
        )
        act(request, action, done)
    return redirect("weights", name=name)


@page()
@never_cache
def weights_live(request: HttpRequest, name: str) -> JsonResponse:
    """The open page's figures, as it shows them."""
    now = seen()
    rows = rows_of_service(find(SERVICES, "service", name=name), now)
    return JsonResponse(
        {
            "stale": is_old(now),
            "heard": heard_in_words(now.age_s, now.traffic.epoch),
            "sentence": sentence(rows, is_old(now)),
            "endpoints": [row.shown for row in rows[:MOST_ENDPOINTS]],
        }
    )


@page()
@never_cache
def weights_tried(request: HttpRequest, name: str) -> JsonResponse:
    """What HOST:PORT=PERCENT would come to. Changes nothing."""
    found: Service = find(SERVICES, "service", name=name)
    endpoints = list(found.endpoints.all())
    try:
        wanted = changes(endpoints, wanted_of(request.GET))
    except Invalid as error:
        return JsonResponse({"objections": [error.reason], "notes": [], "endpoints": []})
    outcome = foresee(found, endpoints, wanted, seen())
    return JsonResponse(
        {
            "objections": outcome.objections,
            "notes": outcome.notes,
            "endpoints": [
                {"key": each.key, "shares": _shares(each), "carries": _carries(each)}
                for each in outcome.outlooks
            ],
        }
    )


def wanted_of(query: Mapping[str, str]) -> dict[str, int]:
    """The per cent that were asked for, by HOST:PORT; the form's other fields have no colon. Raises Invalid.

    What the form says was there before is not asked for: somebody else may have changed it meanwhile.
    """
    found = {}
    for key, text in query.items():
        if ":" not in key or key.startswith(_WAS) or text == query.get(f"{_WAS}{key}"):
            continue
        text = str(text).strip()
        if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
            raise Invalid("weights", "invalid", f"{key[:80]}: a whole number from 0 to {WHOLE_PERCENT}")
        found[key] = int(text)
    return found


def heard_in_words(age_s: float | None, epoch: int) -> str:
    if age_s is None:
        return "the controller has not spoken yet"
    return f"as of {age(age_s)} ago, by leader {epoch}; decided anew every second"


def in_words(change: Event) -> str:
    """What undoing it would do."""
    back = change.before["weights"]
    named = ", ".join(f"{key} to {value} %" for key, value in list(back.items())[:3])
    return f"{named}{f' and {len(back) - 3} more' if len(back) > 3 else ''} (changed by {change.actor})"


def _knobs(rows: list[Row], outcome: Outcome) -> list[Knob]:
    """In the order of the rows."""
    by_key = {each.key: each for each in outcome.outlooks}
    outlooks = [by_key[row.key] for row in rows[:MOST_ENDPOINTS]]
    return [Knob(each, _shares(each), _carries(each)) for each in outlooks]


def _bands(endpoints: list[Endpoint]) -> list[Band]:
    """The priorities and the zones, where there are several of them."""
    found: dict[str, list[Endpoint]] = {}
    for each in endpoints:
        for name in groups_of(each):
            if name.startswith(("priority:", "zone:")):
                found.setdefault(name, []).append(each)
    return [
        Band(name.replace(":", " ", 1), [each.at for each in those], _common(those))
        for name, those in sorted(found.items(), key=lambda item: naturally(item[0]))
        if 1 < len(those) < len(endpoints)
    ]


def _common(endpoints: list[Endpoint]) -> int | None:
    percents = {each.weight_percent for each in endpoints}
    return percents.pop() if len(percents) == 1 else None


def _shares(outlook: Outlook) -> str:
    before, after = percent(outlook.share_before), percent(outlook.share)
    return before if before == after else f"{before} → {after}"


def _carries(outlook: Outlook) -> str:
    return "unknown" if outlook.use is None else f"{percent(outlook.use)} of what it could serve"
