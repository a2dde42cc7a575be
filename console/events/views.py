"""The audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from console.events.listing import EVENTS
from console.events.models import Event
from console.lists.models import BulkAct
from console.lists.page import listed
from console.pages.frame import page
from console.pages.lists import uuid_of

#: Kinds of subjects whose pages are named like them.
WITH_PAGE = ("host", "service", "job", "shard", "storage-pool", "rebalance", "policy")


@dataclass(frozen=True)
class Difference:
    """One thing that an event changed; None where there was or is nothing."""

    key: str
    before: Any
    after: Any


@page()
def events(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first; the filters are in the URL. What was done to many at once leads to that act."""
    context = listed(request, EVENTS)
    context["events"] = [(event, differences(event), link_to(event)) for event in context["rows"]]
    acts = {event.act for event in context["rows"]}
    context["many"] = set(BulkAct.objects.filter(pk__in=acts).values_list("pk", flat=True))
    return render(request, "events/events.html", context)


def differences(event: Event) -> list[Difference]:
    """What changed, key by key, in the order of the keys; what stayed the same is left out."""
    before = (
        event.before
        if isinstance(event.before, dict)
        else {}
        if event.before is None
        else {"value": event.before}
    )
    after = (
        event.after
        if isinstance(event.after, dict)
        else {}
        if event.after is None
        else {"value": event.after}
    )
    keys = [*before, *(key for key in after if key not in before)]
    return [
        Difference(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    ]


def link_to(event: Event) -> str:
    """The page of what the event was about, "" where it has none."""
    if event.subject_kind == "placement":
        return f"{reverse('search')}?q={quote(event.subject)}"  # which leads to its decision
    if event.subject_kind not in WITH_PAGE:
        return ""
    try:
        return reverse(event.subject_kind, args=[uuid_of(event.subject) or event.subject])
    except NoReverseMatch:
        return ""  # a name that no page could have: from an older version, or never made
