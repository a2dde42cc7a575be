"""The audit trail, and the search box that leads to the right page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse

from console.events.models import Event
from console.fleet.models import Host
from console.frame import page
from console.jobs.models import Job
from console.lists import rows_of, text_of, uuid_of
from console.placements.models import Decision, Placement
from console.storage.models import Shard
from console.traffic.models import Service

#: Kinds of subjects whose pages are named like them.
WITH_PAGE = ("host", "service", "job", "shard")


@dataclass(frozen=True)
class Difference:
    """One thing that an event changed; None where there was or is nothing."""

    key: str
    before: Any
    after: Any


@page()
def events(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first; the filters are in the URL."""
    chosen = {key: text_of(request, key) for key in ("action", "actor", "subject_kind", "subject", "act")}
    found = Event.objects.all()
    for key in ("action", "actor", "subject_kind", "subject"):
        if chosen[key]:
            found = found.filter(**{key: chosen[key]})
    if chosen["act"]:
        found = found.filter(act=uuid_of(chosen["act"]))
    rows = rows_of(request, found)
    listed = [(event, differences(event), link_to(event)) for event in rows]
    return render(request, "events/events.html", {"rows": rows, "events": listed, "chosen": chosen})


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
    if event.subject_kind not in WITH_PAGE:
        return ""
    try:
        return reverse(event.subject_kind, args=[uuid_of(event.subject) or event.subject])
    except NoReverseMatch:
        return ""  # a name that no page could have: from an older version, or never made


@page()
def search(request: HttpRequest) -> HttpResponse:
    """?q= leads to the one thing that goes by that name, else to the list that has it in it."""
    text = text_of(request, "q")
    if not text:
        return redirect("map")
    if identity := uuid_of(text):
        return redirect(_by_identity(identity))
    if host := Host.objects.filter(Q(name=text.lower()) | Q(name=text)).first() or _by_address(text):
        return redirect("host", name=host.name)
    for model, name in ((Service, "service"), (Shard, "shard")):
        if model.objects.filter(name=text).exists():
            return redirect(name, name=text)
    if Host.objects.filter(Q(name__icontains=text) | Q(address__icontains=text)).exists():
        return _listed("hosts", q=text)
    for model, name in ((Service, "services"), (Shard, "shards")):
        if model.objects.filter(name__icontains=text).exists():
            return _listed(name, q=text)
    if Decision.objects.filter(name__icontains=text).exists():
        return _listed("decisions", name=text)
    return _listed("hosts", q=text)


def _by_address(text: str) -> Host | None:
    return (
        Host.objects.filter(address=text).first()
        if text.replace(".", "").replace(":", "").isalnum()
        else None
    )


def _by_identity(identity: Any) -> str:
    if Job.objects.filter(pk=identity).exists():
        return reverse("job", args=[identity])
    if placement := Placement.objects.filter(pk=identity).only("decision_id").first():
        return reverse("decision", args=[placement.decision_id])
    return reverse("decision", args=[identity])


def _listed(name: str, /, **query: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse(name)}?{urlencode(query)}")
