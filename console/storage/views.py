"""Shards and how far their replicas are."""

from __future__ import annotations

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.api.views import find
from console.events.models import Event
from console.lists.page import listed
from console.pages.frame import page
from console.storage.listing import SHARDS
from console.storage.models import Shard

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
        (replica, _domain(found.spread_level, replica.placement.host.name, replica.placement.host.labels))
        for replica in found.replicas.all()
    ]
    events = Event.objects.filter(subject_kind="shard", subject=name)[:20]
    return render(request, "storage/shard.html", {"shard": found, "replicas": replicas, "events": events})


def _domain(level: str, host: str, labels: dict[str, str]) -> str:
    return host if level == "host" else labels.get(level, "")
