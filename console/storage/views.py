"""Shards and how far their replicas are."""

from __future__ import annotations

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.api.views import find
from console.events.models import Event
from console.frame import page
from console.lists import rows_of, text_of
from console.storage.models import Shard

SHARDS = Shard.objects.select_related("source_host").prefetch_related("replicas__placement__host")


@page()
def shards(request: HttpRequest) -> HttpResponse:
    """The shards by name."""
    text = text_of(request, "q")
    rows = rows_of(request, SHARDS.filter(name__icontains=text) if text else SHARDS.all())
    listed = [
        (shard, sorted(Counter(replica.state for replica in shard.replicas.all()).items())) for shard in rows
    ]
    return render(request, "storage/shards.html", {"rows": rows, "shards": listed, "text": text})


@page()
def shard(request: HttpRequest, name: str) -> HttpResponse:
    """One shard: each replica's host, domain, state, attempt and what went wrong."""
    found: Shard = find(SHARDS, "shard", name=name)
    replicas = [
        (replica, _domain(found.spread_level, replica.placement.host.name, replica.placement.host.labels))
        for replica in found.replicas.all()
    ]
    events = Event.objects.filter(subject_kind="shard", subject=name)[:20]
    return render(request, "storage/shard.html", {"shard": found, "replicas": replicas, "events": events})


def _domain(level: str, host: str, labels: dict[str, str]) -> str:
    return host if level == "host" else labels.get(level, "")
