"""Why each endpoint of a service has its weight: the traffic's own decision page.

Weights are decided anew every second and are not kept one by one, so this page is of now: it says of when its figures
are, and shows nothing as known when they are old.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from console.api.views import find
from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.pages.frame import page
from console.pages.shown import percent
from console.traffic.draining import is_draining
from console.traffic.models import Endpoint, Service
from console.traffic.view import EndpointSeen, Seen, joined_health, reason_of, seen

SERVICES = Service.objects.prefetch_related("endpoints__host__ledger")
MOST_ENDPOINTS = 100

Verdict = Literal["yes", "no", "unknown"]
RULES = ("wanted", "host in use", "heard of", "well")


@dataclass(frozen=True)
class Row:
    """One endpoint. ticks: (rule, verdict, words). asked, got: shares of all weights and of the requests now, None
    where unknown. apart: percentage points that it gets more or less than its weight asks for, in words."""

    key: str
    host: HostSeen
    port: int
    ticks: list[tuple[str, Verdict, str]]
    weight: int | None
    asked: float | None
    got: float | None
    rate_per_s: float | None
    in_flight: int | None
    latency_ms: float | None
    apart: str
    reason: str


@page()
@never_cache
def weights(request: HttpRequest, name: str) -> HttpResponse:
    """All endpoints beside each other, the heaviest first."""
    found: Service = find(SERVICES, "service", name=name)
    now = seen()
    rows = rows_of_service(found, now)
    return render(
        request,
        "traffic/weights.html",
        {
            "service": found,
            "rules": RULES,
            "rows": rows[:MOST_ENDPOINTS],
            "more": max(0, len(rows) - MOST_ENDPOINTS),
            "sentence": sentence(rows, now.is_stale),
            "stale": now.is_stale,
            "age_s": now.age_s,
            "epoch": now.traffic.epoch,
        },
    )


def rows_of_service(found: Service, now: Seen) -> list[Row]:
    """By falling weight; where nothing is known in the order of their names."""
    endpoints = list(found.endpoints.all())
    known = {each.pk: None if now.is_stale else now.known(each) for each in endpoints}
    total = sum(
        each.weight for endpoint in endpoints if (each := known[endpoint.pk]) and _takes(endpoint, each)
    )
    rows = [_row(endpoint, known[endpoint.pk], total) for endpoint in endpoints]
    return sorted(rows, key=lambda row: -(row.asked or 0.0))


def _takes(endpoint: Endpoint, known: EndpointSeen) -> bool:
    """Whether its weight asks for requests: what drains or is not well keeps its weight, and gets nothing by it."""
    return not is_draining(endpoint) and known.health in ("healthy", "unknown")


def _row(endpoint: Endpoint, known: EndpointSeen | None, total: int) -> Row:
    host = HostSeen(endpoint.host)
    asked = got = None
    if known is not None:
        asked = known.weight / (total or 1) if _takes(endpoint, known) else 0.0
        got = known.share
    return Row(
        key=f"{endpoint.host.name}:{endpoint.port}",
        host=host,
        port=endpoint.port,
        ticks=_ticks(endpoint, known, host),
        weight=known.weight if known else None,
        asked=asked,
        got=got,
        rate_per_s=known.rate_per_s if known else None,
        in_flight=known.in_flight if known else None,
        latency_ms=known.latency_ms if known else None,
        apart=_apart(asked, got),
        reason=reason_of(endpoint, known) if known else "The controller has not spoken of it lately.",
    )


def _ticks(endpoint: Endpoint, known: EndpointSeen | None, host: HostSeen) -> list[tuple[str, Verdict, str]]:
    drained = endpoint.state != Endpoint.State.ACTIVE
    leaving = endpoint.host.state == Host.State.DRAINING
    health = joined_health(endpoint, known)
    well: Verdict = "unknown" if known is None else "yes" if known.health == "healthy" else "no"
    words = (
        ("no", f"it is {endpoint.state} by itself") if drained else ("yes", "nobody drains it"),
        ("no", f"{host.name} is draining") if leaving else ("yes", f"{host.name} is {endpoint.host.state}"),
        ("no", "its agent is silent: its share of the cores counts")
        if host.silent
        else ("yes", "its agent reports"),
        (well, " ".join(health.reasons) or str(health.state)),
    )
    return [(rule, verdict, said) for rule, (verdict, said) in zip(RULES, words, strict=True)]  # type: ignore[misc]


def _apart(asked: float | None, got: float | None) -> str:
    if asked is None or got is None:
        return "unknown"
    points = (got - asked) * 100
    if abs(points) < 0.5:
        return "as asked"
    return f"{abs(points):.0f} points {'more' if points > 0 else 'less'}"


def sentence(rows: list[Row], stale: bool) -> str:
    """What the page says in one sentence."""
    if not rows:
        return "There is no endpoint, so there is nothing to weigh."
    if stale:
        return "The controller has not spoken lately: no weight is known."
    heaviest = rows[0]
    if not heaviest.asked:
        return "No endpoint takes new requests."
    said = f"{heaviest.key} has the largest share, {percent(heaviest.asked)}"
    others = [row for row in rows[1:] if row.asked]
    if not others:
        return f"{said}: no other endpoint takes new requests."
    second = others[0]
    times = heaviest.asked / (second.asked or 1.0)
    lead = "as much as" if times < 1.005 else f"{times:.2f} times that of"
    return f"{said}, {lead} {second.key}. {heaviest.reason}"
