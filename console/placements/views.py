"""Decisions: the list, and the page that says why this host."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.api.views import find
from console.frame import page
from console.lists import choice_of, rows_of, text_of
from console.placements.models import Decision, Placement
from console.strip import Strip, strip_of

KINDS = ("service", "job", "shard")
#: A decision keeps up to 200 rejections; the page shows this many, the JSON has the rest.
MOST_REJECTIONS = 100


@page()
def decisions(request: HttpRequest) -> HttpResponse:
    """Every decision, newest first; the filters are in the URL."""
    chosen = {
        "kind": choice_of(request, "kind", KINDS),
        "outcome": choice_of(request, "outcome", Decision.Outcome.values),
        "host": text_of(request, "host"),
        "name": text_of(request, "name"),
    }
    found = Decision.objects.defer("document")
    for key in ("kind", "outcome", "host"):
        if chosen[key]:
            found = found.filter(**{key: chosen[key]})
    if chosen["name"]:
        found = found.filter(name__icontains=chosen["name"])
    context = {
        "rows": rows_of(request, found),
        "chosen": chosen,
        "kinds": KINDS,
        "outcomes": Decision.Outcome.values,
    }
    return render(request, "placements/decisions.html", context)


@page()
def decision(request: HttpRequest, decision: uuid.UUID) -> HttpResponse:
    """Only what the decision document says, in the order in which one would ask."""
    found: Decision = find(Decision.objects.all(), "decision", pk=decision)
    document = found.document
    candidates = candidates_of(document)
    rejections = document.get("rejections", [])
    placement = (
        Placement.objects.filter(decision=found).select_related("host").prefetch_related("jobs").first()
    )
    return render(
        request,
        "placements/decision.html",
        {
            "decision": found,
            "document": document,
            "candidates": candidates,
            "resources": sorted({part.resource for each in candidates for part in each.parts}, key=_rank),
            "worst_total": max((each.total for each in candidates), default=0.0),
            "rejections": rejections[:MOST_REJECTIONS],
            "rejections_more": document.get("rejections_more", 0) + max(0, len(rejections) - MOST_REJECTIONS),
            "rejected": sorted(document.get("rejected", {}).items(), key=lambda item: -item[1]),
            "placement": placement,
            "job": placement.jobs.first() if placement else None,
        },
    )


@dataclass(frozen=True)
class Part:
    """One term of a candidate's score. start, width: of its segment, in per cent of the widest bar."""

    resource: str
    before: float
    after: float
    cost: float
    start: float
    width: float


@dataclass(frozen=True)
class Row:
    """One candidate. Its strip shows utilisation before (solid) and after (outline)."""

    rank: int
    host: str
    total: float
    margin: float
    parts: list[Part]
    strip: Strip
    chosen: bool


def candidates_of(document: dict[str, Any]) -> list[Row]:
    """The document's candidates, with the geometry of their bars on one common scale."""
    found = document.get("candidates", [])
    scale = max((sum(max(term["cost"], 0.0) for term in each["terms"]) for each in found), default=0.0) or 1.0
    rows = []
    for rank, each in enumerate(found, start=1):
        start, parts = 0.0, []
        for term in each["terms"]:
            width = max(term["cost"], 0.0) / scale * 100
            parts.append(Part(**term, start=round(start, 3), width=round(width, 3)))
            start += width
        before, after = (
            {part.resource: getattr(part, when) for part in parts} for when in ("before", "after")
        )
        strip = strip_of(before, after, "before", "after", missing="not asked for")
        chosen = each["host"] == document.get("host")
        rows.append(Row(rank, each["host"], each["total"], each["margin"], parts, strip, chosen))
    return rows


_ORDER = ("cpu", "memory", "disk", "disk_io", "net_in", "net_out")


def _rank(resource: str) -> tuple[int, str]:
    return (_ORDER.index(resource) if resource in _ORDER else len(_ORDER), resource)
