"""Shards and how far their replicas are."""

from __future__ import annotations

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.accounts.models import Role
from console.api.views import find
from console.events.models import Event
from console.lists.page import listed
from console.pages.frame import act, offer, page
from console.storage.actions.shards import ScrubShard
from console.storage.listing import SHARDS
from console.storage.models import Replica, Shard, domain_of

WITH_REPLICAS = SHARDS.found().prefetch_related("replicas__placement__host")


@page()
def shards(request: HttpRequest) -> HttpResponse:
    """The shards by name."""
    context = listed(request, SHARDS, WITH_REPLICAS)
    context["shards"] = [
        (shard, sorted(Counter(replica.state for replica in shard.replicas.all()).items()))
        for shard in context["rows"]
    ]
    return render(request, "storage/shards.html", context)


@page()
def shard(request: HttpRequest, name: str) -> HttpResponse:
    """One shard: each replica's host, domain, state, attempt and what went wrong."""
    found: Shard = find(WITH_REPLICAS, "shard", name=name)
    replicas = [
        (replica, domain_of(replica.placement.host, found.spread_level)) for replica in found.replicas.all()
    ]
    events = Event.objects.filter(subject_kind="shard", subject=name)[:20]
    ready = any(replica.state == Replica.State.READY for replica, _ in replicas)
    why_not = "" if ready else "It has no copy that is ready."
    context = {
        "shard": found,
        "replicas": replicas,
        "events": events,
        "offer": offer(request, ScrubShard, "verify", "Verify now", why_not),
    }
    return render(request, "storage/shard.html", context)


@page(Role.OPERATOR, "POST")
def verify_shard(request: HttpRequest, name: str) -> HttpResponse:
    """POST: have its copies read again."""
    if request.method == "POST":
        act(request, ScrubShard(name), "Its copies are read again.")
    return redirect("shard", name=name)
