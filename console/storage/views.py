"""Shards and how far their replicas are."""

from __future__ import annotations

from collections import Counter

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.accounts.models import Role
from console.api.views import find
from console.events.models import Event
from console.lists.page import listed
from console.pages.frame import act, offer, page
from console.storage.actions.measuring import MeasureShard
from console.storage.actions.shards import RemoveShard, ScrubShard
from console.storage.listing import SHARDS
from console.storage.models import Replica, Shard, domain_of


class MeasureForm(forms.Form):
    """What a shard is now, in bytes; what is left empty stays as it was. The action checks it."""

    bytes = forms.IntegerField(required=False, label="Size", help_text="In bytes; growth is learned from it.")
    growth_bytes_day = forms.FloatField(required=False, label="Growth a day", help_text="Given, not learned.")
    read_bytes_s = forms.FloatField(required=False, label="Read a second")
    write_bytes_s = forms.FloatField(required=False, label="Written a second")
    memory_bytes = forms.FloatField(required=False, label="Memory", help_text="Of each replica.")
    learn = forms.BooleanField(required=False, label="Learn growth from the sizes again")


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
        "remove": offer(request, RemoveShard, "remove", "Remove"),
        "measure": offer(request, MeasureShard, "measure", "Say so"),
        "form": MeasureForm(),
    }
    return render(request, "storage/shard.html", context)


@page(Role.OPERATOR, "POST")
def verify_shard(request: HttpRequest, name: str) -> HttpResponse:
    """POST: have its copies read again."""
    if request.method == "POST":
        act(request, ScrubShard(name), "Its copies are read again.")
    return redirect("shard", name=name)


@page(Role.OPERATOR, "POST")
def measure_shard(request: HttpRequest, name: str) -> HttpResponse:
    """POST: say how large it is and how it is used."""
    form = MeasureForm(request.POST)
    if request.method == "POST" and not form.is_valid():
        messages.error(
            request, "Not done: " + " ".join(each for found in form.errors.values() for each in found)
        )
    elif request.method == "POST":
        act(
            request,
            MeasureShard(name, **form.cleaned_data),
            "Its hosts' promises follow where there is room.",
        )
    return redirect("shard", name=name)


@page(Role.OPERATOR, "POST")
def remove_shard(request: HttpRequest, name: str) -> HttpResponse:
    """POST: give it up, and have every copy deleted."""
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    done = f"{name} is given up; its hosts delete their copies."
    if request.method == "POST" and act(request, RemoveShard(name, reason), done):
        return redirect("shards")
    return redirect("shard", name=name)
