"""The table of hosts."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.live.picture import picture
from console.pages.frame import page
from console.pages.lists import choice_of, rows_of, text_of

STATES = ("active", "cordoned", "draining", "lost", "silent")


@page()
def hosts(request: HttpRequest) -> HttpResponse:
    """The hosts, 50 a page; every filter is in the URL."""
    chosen = {
        "state": choice_of(request, "state", STATES),
        "label": text_of(request, "label"),
        "q": text_of(request, "q"),
    }
    rows = rows_of(
        request, filtered(chosen["state"], chosen["label"], chosen["q"]).prefetch_related("ledger")
    )
    seen = [HostSeen(host) for host in rows]
    total = Host.objects.count()
    return render(
        request,
        "fleet/hosts.html",
        {"rows": rows, "hosts": seen, "chosen": chosen, "states": STATES, "total": total},
    )


def filtered(state: str, label: str, text: str) -> QuerySet[Host]:
    """The hosts of a state, with a label (KEY=VALUE, or KEY alone), and a text in name or address."""
    found = Host.objects.all()
    if state == "lost":
        found = found.exclude(lost_since=None)
    elif state == "silent":
        found = found.filter(name__in=picture.silent(time.monotonic()))
    elif state:
        found = found.filter(state=state)
    if label:
        key, equals, value = label.partition("=")
        # Not labels__KEY=: a label may be called like a lookup.
        chosen = found.annotate(chosen_label=KeyTransform(key.strip(), "labels"))
        found = (
            chosen.filter(chosen_label=value.strip()) if equals else found.filter(labels__has_key=key.strip())
        )
    if text:
        found = found.filter(Q(name__icontains=text) | Q(address__icontains=text))
    return found


def state_counts() -> dict[str, Any]:
    """Hosts by state, and how many of them are lost or silent."""
    by_state = dict(Host.objects.values_list("state").annotate(Count("pk")).order_by())
    return {
        **{state: by_state.get(state, 0) for state in Host.State.values},
        "lost": Host.objects.exclude(lost_since=None).count(),
        "silent": len(picture.silent(time.monotonic())),
    }
