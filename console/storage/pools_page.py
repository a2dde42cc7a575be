"""Storage pools on pages: which there are, what each keeps to, and how it stands."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Count, F, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.accounts.models import Role
from console.api.views import find
from console.events.models import Event
from console.pages.frame import act, offer, page, require_role
from console.pages.lists import rows_of
from console.storage.actions.pools import PutPool, RemovePool, SurveyPool
from console.storage.models import MovePlan, Shard, SlotCluster, StoragePool


class PoolForm(forms.Form):
    """All that a pool says; the action checks it."""

    name = forms.CharField(max_length=63, label="Name")
    data = forms.IntegerField(
        initial=1, label="Data pieces", help_text="1 for whole copies; k of an erasure set."
    )
    parity = forms.IntegerField(
        initial=1, label="Pieces that may be lost", help_text="Copies less one; m of an erasure set."
    )
    spread_level = forms.CharField(
        max_length=63,
        initial="host",
        label="Kept apart by",
        help_text='zone, rack or another label, or "host".',
    )
    low = forms.FloatField(
        initial=0.9,
        label="Low watermark",
        help_text="Above this share of a disk, or memory, nothing new comes.",
    )
    high = forms.FloatField(initial=0.95, label="High watermark", help_text="Above this share shards leave.")
    policy = forms.CharField(
        max_length=64, required=False, label="Policy", help_text="Empty: the default of shards."
    )
    mover = forms.ChoiceField(
        choices=[
            ("tree", "file trees"), ("redis", "slots of a Redis Cluster"), ("none", "nobody: others keep the data"),
        ],
        label="Copied as",
    )  # fmt: skip
    seed = forms.CharField(
        max_length=300,
        required=False,
        label="Redis node",
        help_text="HOST:PORT of one; empty for other pools.",
    )
    slots = forms.IntegerField(initial=64, label="Slots a shard", help_text="At most, of a Redis Cluster.")
    keep_days = forms.FloatField(initial=0, label="Days of growth", help_text="That room is reserved for.")
    automatic = forms.ChoiceField(
        choices=[("off", "off"), ("propose", "propose plans"), ("carry-out", "carry plans out")],
        label="Automatic mode",
    )
    threshold = forms.FloatField(
        initial=1.2, label="Threshold", help_text="The fullest host over the mean that is too much."
    )
    hold_s = forms.FloatField(initial=600, label="Hold time", help_text="Seconds for which it is too much.")
    margin = forms.FloatField(
        initial=0.05, label="Margin", help_text="So far below the threshold is what is aimed for."
    )
    bytes_s = forms.FloatField(
        initial=50e6, label="Bytes a second", help_text="Of each host's network, for moves that begin so."
    )
    reason = forms.CharField(max_length=500, required=False, label="Reason", help_text="For the audit trail.")


@page(Role.VIEWER, "POST")
def pools(request: HttpRequest) -> HttpResponse:
    """GET shows them and the form of a new one; POST makes one (operators)."""
    if request.method == "POST":
        require_role(request, Role.OPERATOR)
    form = PoolForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _put(request, form):
        return redirect("storage-pool", name=form.cleaned_data["name"])
    context = {
        "rows": rows_of(request, StoragePool.objects.annotate(count=Count("shards"))),
        "form": form,
        "offer": offer(request, PutPool, "put", "Make the pool"),
    }
    return render(request, "storage/pools.html", context)


@page(Role.VIEWER, "POST")
def pool(request: HttpRequest, name: str) -> HttpResponse:
    """One pool: GET shows what it keeps to and how it stands, POST changes it (operators)."""
    if request.method == "POST":
        require_role(request, Role.OPERATOR)
    found: StoragePool = find(StoragePool.objects.all(), "storage pool", pk=name)
    said: dict[str, Any] = {each: getattr(found, each) for each in PutPool.RECORDED}
    form = PoolForm({**request.POST.dict(), "name": name} if request.method == "POST" else None, initial=said)
    del form.fields["name"]
    if request.method == "POST" and form.is_valid() and _put(request, form, name):
        return redirect("storage-pool", name=name)
    count = found.shards.count()
    slots = found.mover == StoragePool.Mover.REDIS
    context = {
        "pool": found,
        "cluster": SlotCluster.objects.filter(pool=found).first() if slots else None,
        "nodes": _nodes(found) if slots else [],
        "survey": offer(request, SurveyPool, "survey", "Look now"),
        "count": count,
        "form": form,
        "offer": offer(request, PutPool, "put", "Keep it so"),
        "remove": offer(
            request,
            RemovePool,
            "remove",
            "Remove",
            f"It has {count} shard{'s' if count > 1 else ''}." if count and not slots else "",
        ),
        "plans": MovePlan.objects.filter(pool=name)[:10],
        "events": Event.objects.filter(subject_kind="storage-pool", subject=name)[:20],
    }
    return render(request, "storage/pool.html", context)


def _nodes(pool: StoragePool) -> list[dict[str, Any]]:
    """The masters that are on hosts, with how many slots and what each has and takes."""
    slots = Sum(F("last_slot") - F("first_slot") + 1)
    sums = Shard.objects.filter(pool=pool).order_by().values("source_host__name")
    sums = sums.annotate(runs=Count("pk"), size=Sum("bytes"), cores=Sum("cpu"), slots=slots)
    by_host = {each["source_host__name"]: each for each in sums}
    cluster = SlotCluster.objects.filter(pool=pool).first()
    none = {"runs": 0, "size": 0, "cores": 0.0, "slots": 0}
    return [{**node, **by_host.get(node["host"], none)} for node in (cluster.nodes if cluster else [])]


@page(Role.OPERATOR, "POST")
def survey_pool(request: HttpRequest, name: str) -> HttpResponse:
    """POST: have its Redis Cluster looked at."""
    if request.method == "POST":
        act(request, SurveyPool(name), "One of its hosts looks at it.")
    return redirect("storage-pool", name=name)


@page(Role.OPERATOR, "POST")
def remove_pool(request: HttpRequest, name: str) -> HttpResponse:
    """POST: give up a pool without shards."""
    if request.method == "POST" and act(request, RemovePool(name), f"The pool {name} is removed."):
        return redirect("storage-pools")
    return redirect("storage-pool", name=name)


def _put(request: HttpRequest, form: PoolForm, name: str = "") -> bool:
    asked = {**form.cleaned_data, "name": name or form.cleaned_data.get("name", "")}
    return act(request, PutPool(**asked), f"The pool {asked['name']} is kept so.")
