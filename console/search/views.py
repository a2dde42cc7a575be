"""The page of results: where the search box leads without a choice, and without scripts."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.pages.frame import page
from console.pages.lists import text_of
from console.search.answers import Answer, answer
from console.search.shelf import TITLE

MOST = 60
#: Kinds whose name is one thing's alone; of others many may be called alike.
UNIQUE = ("host", "service", "shard", "storage-pool")
HEADINGS = {
    "page": "Pages", "host": "Hosts", "service": "Services", "endpoint": "Endpoints", "shard": "Shards",
    "storage-pool": "Storage pools",
    "certificate": "Certificates", "job": "Jobs", "placement": "Placements", "decision": "Decisions",
    "event": "Events", "action": "Actions", "list": "Lists",
}  # fmt: skip


@page()
def search(request: HttpRequest) -> HttpResponse:
    """?q= leads to the one thing that goes by that name or identity, else shows all that is near."""
    found = answer(text_of(request, "q"), request.user, most=MOST)  # type: ignore[arg-type]
    if only := the_one(found):
        return redirect(only)
    groups = [(HEADINGS[kind], list(each)) for kind, each in groupby(found.results, lambda one: one.kind)]
    context: dict[str, Any] = {"query": found.query, "groups": groups, "took_ms": found.took_ms}
    return render(request, "search/search.html", context)


def the_one(found: Answer) -> str:
    """The page of the thing that was named in full, "" where there is no such thing or more than one."""
    if not found.query:
        return ""
    exact = [one for one in found.results if one.tier == TITLE]
    named = [one for one in exact if one.kind in UNIQUE]
    identified = [one for one in exact if one.key == found.query or one.kind == "placement"]
    named = named or [
        one for one in found.results if one.kind == "host" and one.detail.split()[0] == found.query
    ]
    chosen = named or (identified if len({one.path for one in identified}) == 1 else [])
    return chosen[0].path if chosen else ""
