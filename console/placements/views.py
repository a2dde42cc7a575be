"""Decisions: the list, and the page that says why this host."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from balancer_core.load import KINDS
from console.events.tasks import KEEP_DECISIONS
from console.lists.page import listed
from console.pages.frame import page
from console.placements.again import again
from console.placements.listing import DECISIONS
from console.placements.models import Decision, Placement
from console.placements.nearest import nearest_loser
from console.placements.shown import asked_in_words, candidates_of
from console.placements.ticks import judged, rules_of

#: A decision keeps up to 200 rejections; the page shows this many, the JSON has the rest.
MOST_REJECTIONS = 100
#: Decisions of one replica set or gang that the page links.
MOST_TOGETHER = 50


@page()
def decisions(request: HttpRequest) -> HttpResponse:
    """Every decision, newest first; the filters are in the URL."""
    more = {"kinds": KINDS, "outcomes": Decision.Outcome.values}
    return render(request, "placements/decisions.html", {**listed(request, DECISIONS), **more})


@page()
def decision(request: HttpRequest, decision: uuid.UUID) -> HttpResponse:
    """Only what the decision document says, in the order in which one would ask."""
    found = Decision.objects.filter(pk=decision).first()
    if found is None:
        kept_days = KEEP_DECISIONS.days
        context = {"identity": decision, "kept_days": kept_days}
        return render(request, "placements/decision_gone.html", context, status=404)
    document = found.document
    together = []
    if found.together is not None:
        of_set = Decision.objects.filter(together=found.together).defer("document").order_by("at", "name")
        together = list(of_set[: MOST_TOGETHER + 1])
    candidates = candidates_of(document)
    rejections = document.get("rejections", [])
    placement = (
        Placement.objects.filter(decision=found)
        .select_related("host", "replica__shard")
        .prefetch_related("jobs")
        .first()
    )
    return render(
        request,
        "placements/decision.html",
        {
            "decision": found,
            "document": document,
            "candidates": candidates,
            "nearest": nearest_loser(document, candidates),
            "rules": rules_of(document),
            "judged": judged(document, found.asked, MOST_REJECTIONS),
            "rejections_more": document.get("rejections_more", 0) + max(0, len(rejections) - MOST_REJECTIONS),
            "rejected": sorted(document.get("rejected", {}).items(), key=lambda item: -item[1]),
            "asked": asked_in_words(found.asked),
            "together": together[:MOST_TOGETHER],
            "together_more": len(together) > MOST_TOGETHER,
            "placement": placement,
            "job": placement.jobs.first() if placement else None,
            "shard": placement.replica.shard if placement and hasattr(placement, "replica") else None,
            "again": again(found, request.build_absolute_uri("/api/v1/placements/")),
        },
    )
