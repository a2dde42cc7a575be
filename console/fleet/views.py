"""The table of hosts."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts.preferences import preferences_of
from console.fleet.columns import told
from console.fleet.listing import HOSTS, STATES
from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.lists.bulk import MOST
from console.lists.page import listed
from console.live.picture import picture
from console.pages.frame import page


@page()
def hosts(request: HttpRequest) -> HttpResponse:
    """The hosts, 50 a page, or with the script all of them live; filters, order and columns are one URL's."""
    # Without their ledgers, which several() reads.
    context = listed(request, HOSTS, Host.objects.all())
    context |= {
        "hosts": HostSeen.several(list(context["rows"])),
        "states": STATES,
        "total": Host.objects.count(),
        "live": preferences_of(request.user).get("hosts") == "live",
        "most": MOST,
        "grid_columns": told(context["columns"]),
    }
    return render(request, "fleet/hosts.html", context)


def state_counts() -> dict[str, Any]:
    """Hosts by state, and how many of them are lost or silent."""
    by_state = dict(Host.objects.values_list("state").annotate(Count("pk")).order_by())
    return {
        **{state: by_state.get(state, 0) for state in Host.State.values},
        "lost": Host.objects.exclude(lost_since=None).count(),
        "silent": len(picture.silent(time.monotonic())),
    }
