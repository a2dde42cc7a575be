"""Tenants' shares over time, drawn: one chart a tenant, all on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from console.jobs.shares_past import RANGES, USUAL, Past, pasts
from console.pages.frame import page
from console.pages.lists import text_of

#: The drawing's own units; it is stretched to the width that there is.
WIDTH, HEIGHT = 600, 96
#: Tenants that are drawn, those with the largest shares; the table has them all.
MOST_DRAWN = 24


@dataclass(frozen=True)
class Chart:
    """A tenant's past as lines of an SVG; one line a stretch without gaps."""

    past: Past
    share: list[str]
    fair: list[str]
    quota: list[str]


@page()
@never_cache
def shares(request: HttpRequest) -> HttpResponse:
    """?range=24h: the last day; else the last hour."""
    name = text_of(request, "range")
    found = pasts(name if name in RANGES else USUAL, timezone.now())
    values = [
        value for past in found.tenants for line in (past.share, past.fair, past.quota) for value in line
    ]
    top = max((value for value in values if value is not None), default=0.0)
    top = min(max(top, 0.05), 1.0)
    context = {
        "found": found,
        "ranges": RANGES,
        "charts": [_chart(past, top) for past in found.tenants[:MOST_DRAWN]],
        "top": top,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return render(request, "jobs/shares.html", context)


def _chart(past: Past, top: float) -> Chart:
    return Chart(past, *(lines(values, top) for values in (past.share, past.fair, past.quota)))


def lines(values: Sequence[float | None], top: float) -> list[str]:
    """The points of each stretch without gaps, as SVG has them; a single one is a line without length. What is above
    top is drawn at it."""
    step = WIDTH / max(len(values) - 1, 1)
    found: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            found.append([])
            continue
        y = 1 + (1 - min(value / top, 1.0)) * (HEIGHT - 2)
        found[-1].append(f"{place * step:.1f},{y:.1f}")
    return [" ".join(each if len(each) > 1 else each * 2) for each in found if each]
