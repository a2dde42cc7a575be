"""The past of one host as a page of rows, and as a file."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.api.views import find
from console.fleet.models import Host
from console.history import marks, read, table
from console.history.spans import RANGES, span_of
from console.live.frames import BARS
from console.pages.frame import page


@page()
def host_past(request: HttpRequest, name: str) -> HttpResponse:
    """What the charts of a host show, in rows; ?format=csv: every point, as a file."""
    host = find(Host.objects.all(), "host", name=name)
    now = timezone.now()
    span = span_of(request.GET, now)
    series = read.of_host(name, span.begin, span.end, now)
    if request.GET.get("format") == "csv":
        answer = HttpResponse(table.as_csv(series), content_type="text/csv; charset=utf-8")
        stamp = f"{span.begin:%Y%m%dT%H%M}-{span.end:%Y%m%dT%H%M}"
        answer["Content-Disposition"] = f'attachment; filename="{name}-{stamp}Z.csv"'
        return answer
    return render(
        request,
        "history/host_past.html",
        {
            "host": host,
            "span": span,
            "ranges": RANGES,
            "bars": list(BARS),
            "kinds": read.KINDS,
            "rows": table.rows(series),
            "points": len(series["at"]),
            "step_s": series["step_s"],
            "marks": marks.of_host(host, span.begin, span.end),
        },
    )
