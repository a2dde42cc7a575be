"""Each host's workers: whether they take what they are sent, what they run, what became of it lately."""

from __future__ import annotations

import time
from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.jobs.workers import LATELY, STATES, at_work, runs_now
from console.pages.frame import page
from console.pages.lists import choice_of, rows_of, text_of


@page()
def workers(request: HttpRequest) -> HttpResponse:
    """?host=part of a name, ?state=: who is shown."""
    everybody = at_work(timezone.now(), time.monotonic())
    host, state = text_of(request, "host"), choice_of(request, "state", STATES)
    found = [each for each in everybody if host in each.host and state in ("", each.state)]
    rows = rows_of(request, found)
    now = runs_now([each.host for each in rows])
    context = {
        "rows": rows,
        "shown": [(each, now.get(each.host, [])) for each in rows],
        "host": host,
        "state": state,
        "states": STATES,
        "counts": Counter(each.state for each in everybody),
        "running": sum(each.running for each in everybody),
        "lately": int(LATELY.total_seconds()),
    }
    return render(request, "jobs/workers.html", context)
