"""Many at once, as pages: what was chosen in a list, what would become of each, the outcome, and the way back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse

from console.accounts.models import Role
from console.actions import Conflict, Invalid
from console.api.views import actor_of, find
from console.lists.bulk import MOST, Kind, foresee, no_undo, perform, undo
from console.lists.models import BulkAct
from console.lists.registry import KINDS, LISTINGS
from console.pages.frame import Offer, offer, page
from console.pages.lists import rows_of

#: A row's own page, where a list's items have one.
PAGES = {
    "hosts": lambda item: reverse("host", args=[item]),
    "jobs": lambda item: reverse("job", args=[item]),
    "endpoints": lambda item: reverse("service", args=[item.partition("/")[0]]),
}
LONGEST_ITEM = 200


@page(Role.VIEWER, "POST")
def bulk(request: HttpRequest) -> HttpResponse:
    """GET: what was done to many at once, newest first. POST action=NAME on=ITEM...: what it would do to each.

    With all=1 the items are what the list has under its filters (query=), up to as many as one act takes.
    """
    if request.method != "POST":
        rows = rows_of(
            request, BulkAct.objects.defer("results", "undone_by__results").select_related("undone_by")
        )
        acts = [(act, _label(act.action)) for act in rows]
        return render(request, "lists/acts.html", {"rows": rows, "acts": acts})
    kind = _kind(request)
    back = _back(request, kind)
    items, more = _chosen(request, kind)
    if not items:
        messages.error(request, f"Not done: nothing was chosen to {kind.LABEL.lower()}.")
        return redirect(back)
    try:
        found, warnings = foresee(kind, actor_of(request), items)
    except Invalid as error:
        messages.error(request, f"Not done: {error.reason}")
        return redirect(back)
    able = sum(not each.why_not for each in found)
    context = {
        # Not the class itself: a template would call it.
        "action": kind.NAME,
        "label": kind.LABEL,
        "listing": kind.LIST,
        "no_undo": kind.NO_UNDO,
        "explains": offer(request, kind, kind.NAME, kind.LABEL).explains,
        "rows": [(each, _page_of(kind.LIST, each.item)) for each in found],
        "able": able,
        "refused": len(found) - able,
        "warnings": warnings,
        "more": more,
        "most": f"{MOST:,}",
        "back": back,
    }
    return render(request, "lists/preview.html", context)


@page(Role.OPERATOR, "POST")
def do_bulk(request: HttpRequest) -> HttpResponse:
    """POST action=NAME on=ITEM... reason=: do it, and show what became of each."""
    if request.method != "POST":
        raise Http404("Doing it is a POST.")
    kind = _kind(request)
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    try:
        act = perform(kind, actor_of(request), _items(request.POST.getlist("on")), reason)
    except Invalid as error:
        messages.error(request, f"Not done: {error.reason}")
        return redirect(kind.LIST)
    return redirect("bulk-act", act=act.pk)


@page()
def bulk_act(request: HttpRequest, act: uuid.UUID) -> HttpResponse:
    """What became of each, and whether it can be taken back."""
    found: BulkAct = find(BulkAct.objects.select_related("undone_by", "undoes"), "act", pk=act)
    kind = KINDS.get(found.action.removeprefix("undo "))
    listing = kind.LIST if kind else "events"
    done = sum(each["done"] for each in found.results)
    context = {
        "act": found,
        "title": _label(found.action),
        "rows": [(each, _page_of(listing, each["item"])) for each in found.results],
        "done": done,
        "refused": len(found.results) - done,
        "offer": _undo_offer(request, found, kind),
        "back": reverse(listing),
        "listing": listing,
    }
    return render(request, "lists/act.html", context)


@page(Role.OPERATOR, "POST")
def undo_bulk(request: HttpRequest, act: uuid.UUID) -> HttpResponse:
    """POST: bring back what it did, where nobody has changed it since."""
    if request.method != "POST":
        raise Http404("Taking back is a POST.")
    found: BulkAct = find(BulkAct.objects.all(), "act", pk=act)
    try:
        back = undo(found, KINDS, actor_of(request))
    except Conflict as error:
        messages.error(request, f"Not done: {error.reason}.")
        return redirect("bulk-act", act=act)
    return redirect("bulk-act", act=back.pk)


def _kind(request: HttpRequest) -> Kind:
    name = request.POST.get("action", "")
    if name not in KINDS:
        raise Http404(f"Nothing that is done to many at once is called {name[:64]}.")
    return KINDS[name]


def _chosen(request: HttpRequest, kind: Kind) -> tuple[Sequence[str], bool]:
    """The items, and whether the filter has more than that."""
    if request.POST.get("all") != "1":
        return _items(request.POST.getlist("on")), False
    rows = list(LISTINGS[kind.LIST].narrowed(_query(request).dict())[: MOST + 1])
    return [kind.item_of(row) for row in rows[:MOST]], len(rows) > MOST


def _items(said: Sequence[str]) -> list[str]:
    return [item for item in dict.fromkeys(each.replace("\x00", "")[:LONGEST_ITEM] for each in said) if item]


def _query(request: HttpRequest) -> QueryDict:
    """Whole, however long: a filter that is cut would choose more than its page shows."""
    return QueryDict(request.POST.get("query", ""))


def _back(request: HttpRequest, kind: Kind) -> str:
    """The list as it was filtered."""
    query = _query(request).urlencode()
    return f"{reverse(kind.LIST)}?{query}" if query else reverse(kind.LIST)


def _page_of(listing: str, item: str) -> str:
    """Its address; empty where it has none, or where the item is no name at all."""
    try:
        return PAGES[listing](item) if listing in PAGES else ""
    except NoReverseMatch:
        return ""


def _label(action: str) -> str:
    """What an act is called: Drain hosts; Undo: drain hosts."""
    kind = KINDS.get(action.removeprefix("undo "))
    if kind is None:
        return action
    return f"Undo: {kind.LABEL.lower()} {kind.LIST}" if action not in KINDS else f"{kind.LABEL} {kind.LIST}"


def _undo_offer(request: HttpRequest, act: BulkAct, kind: Kind | None) -> Offer | None:
    """The button that takes it back; none for what is itself a way back."""
    if act.undoes_id is not None or kind is None:
        return None
    refusal: Any = no_undo(act, KINDS)
    return offer(request, kind, "undo", "Undo", refusal.reason if refusal else "")
