"""Services: share per endpoint, and why each has its weight."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from console.accounts.models import Role
from console.actions import Conflict, Invalid
from console.api.views import actor_of, find
from console.engines.target.settings import settings_of
from console.lists.page import listed
from console.pages.frame import act, offer, page
from console.pages.shown import age, figure, percent
from console.traffic.actions.endpoints import DrainEndpoint, ResumeEndpoint
from console.traffic.actions.services import (
    AddEndpoint,
    CreateService,
    RemoveEndpoint,
    SetTier,
)
from console.traffic.draining import is_draining
from console.traffic.listing import SERVICES
from console.traffic.models import Endpoint, Service
from console.traffic.sentences import sentences
from console.traffic.view import EndpointSeen, Seen, joined_health, reason_of, seen, warnings_now

WITH_ENDPOINTS = SERVICES.found().prefetch_related("endpoints__host")
MOST_ENDPOINTS = 100
#: What stands behind applications, and hardly ever speaks HTTP.
BEHIND = (Service.Tier.CACHE, Service.Tier.DATABASE)


@page()
def services(request: HttpRequest) -> HttpResponse:
    """The services with their rates, and whether the engines listen to us."""
    context, now = listed(request, SERVICES, WITH_ENDPOINTS), seen()
    context |= {
        "services": [(each, None if stale(now) else now.service(each.name)) for each in context["rows"]],
        "traffic": now.traffic,
        "stale": stale(now),
        "offer": offer(request, CreateService, "new", "New service"),
    }
    return render(request, "traffic/services.html", context)


@page()
def service(request: HttpRequest, name: str) -> HttpResponse:
    """One service; the figures are the engine's of the last second, and are gone when they are old."""
    found: Service = find(WITH_ENDPOINTS, "service", name=name)
    now = seen()
    rows = endpoint_rows(found, now)
    return render(
        request,
        "traffic/service.html",
        {
            "service": found,
            "rows": rows[:MOST_ENDPOINTS],
            "more": max(0, len(rows) - MOST_ENDPOINTS),
            "now": None if stale(now) else now.service(name),
            "refused": now.refused(name),
            "warnings": warnings_now(found),
            "stale": stale(now),
            "traffic": now.traffic,
            "age_s": now.age_s,
            "offer": offer(request, DrainEndpoint, "drain", "Drain"),
            "tiers": Service.Tier.values,
            "sentences": sentences(settings_of(found.settings)),
        },
    )


@page()
@never_cache
def service_live(request: HttpRequest, name: str) -> JsonResponse:
    """The open page's figures, as it shows them.

    Polled once a second by that page alone: the socket's frames are for all hosts and all browsers and know
    no services, and a poll that fails or comes late shows itself, while a silent socket does not.
    """
    found: Service = find(WITH_ENDPOINTS, "service", name=name)
    now = seen()
    current = None if stale(now) else now.service(name)
    return JsonResponse(
        {
            "stale": stale(now),
            "age": age(now.age_s),
            "rate": figure(current.rate_per_s) if current else "unknown",
            "p50": figure(current.p50_ms) if current else "unknown",
            "p99": figure(current.p99_ms) if current else "unknown",
            "endpoints": endpoint_rows(found, now)[:MOST_ENDPOINTS],
        }
    )


class ServiceForm(forms.Form):
    name = forms.CharField(
        max_length=63, widget=forms.TextInput({"placeholder": "shop", "autocomplete": "off"})
    )
    protocol = forms.ChoiceField(choices=Service.Protocol.choices)
    tier = forms.ChoiceField(
        choices=Service.Tier.choices,
        initial=Service.Tier.OTHER,
        required=False,
        label="Its servers are",
        help_text="Where the service stands in the chain from names to databases.",
    )
    listen = forms.CharField(
        max_length=80,
        required=False,
        label="Listens on",
        help_text="ADDR:PORT on the machine of the engine; empty: a pool that other services lead to.",
        widget=forms.TextInput({"placeholder": "127.0.0.1:8080", "autocomplete": "off"}),
    )
    endpoints = forms.CharField(
        help_text="HOST:PORT, one a line; a host by its name or its address.",
        widget=forms.Textarea({"rows": 5, "placeholder": "web-1:8080\nweb-2:8080"}),
        max_length=200_000,
    )

    def clean_listen(self) -> tuple[str | None, int | None]:
        return host_port(self.cleaned_data["listen"]) if self.cleaned_data["listen"] else (None, None)

    def clean_endpoints(self) -> list[tuple[str, int]]:
        return [host_port(line) for line in self.cleaned_data["endpoints"].split()]


@page(Role.OPERATOR, "POST")
def new_service(request: HttpRequest) -> HttpResponse:
    """GET asks, POST makes the service."""
    asked = request.GET.get("tier", "")
    initial = (
        {"tier": asked, "protocol": "tcp" if asked in BEHIND else "http"}
        if asked in Service.Tier.values
        else {}
    )
    form = ServiceForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        address, port = values["listen"]
        try:
            tier = values["tier"] or Service.Tier.OTHER
            made = CreateService(
                values["name"], values["protocol"], address, port, values["endpoints"], tier=tier
            ).run(actor_of(request))
        except Invalid as error:
            field = "listen" if error.field.startswith("listen") else error.field.partition(".")[0]
            form.add_error(field if field in form.fields else None, error.reason)
        except Conflict as error:
            form.add_error(None, error.reason)
        else:
            return redirect("service", name=made.name)
    return render(request, "traffic/new_service.html", {"form": form})


@page(Role.OPERATOR, "POST")
def tier_action(request: HttpRequest, name: str) -> HttpResponse:
    """POST tier=web|application|cache|database|other."""
    if request.method == "POST":
        tier = request.POST.get("tier", "")
        act(request, SetTier(name, tier), f"{name} stands in the chain as: {tier}.")
    return redirect("service", name=name)


@page(Role.OPERATOR, "POST")
def endpoint_action(request: HttpRequest, name: str) -> HttpResponse:
    """POST endpoint=HOST:PORT verb=add|remove|drain|resume."""
    if request.method == "POST":
        host, _, port = request.POST.get("endpoint", "").strip().rpartition(":")
        host = host.strip("[]")
        number = int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0
        key = f"{host}:{port}"
        match request.POST.get("verb"):
            case "add":
                act(request, AddEndpoint(name, host, number), f"{key} is there; its share grows.")
            case "remove":
                act(request, RemoveEndpoint(name, host, number), f"{key} is gone.")
            case "drain":
                act(request, DrainEndpoint(name, host, number), f"{key} gets no new requests.")
            case "resume":
                act(request, ResumeEndpoint(name, host, number), f"{key} gets requests again.")
    return redirect("service", name=name)


def host_port(text: str) -> tuple[str, int]:
    """HOST:PORT with IPv6 in brackets. Raises ValidationError."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host or not port.isdecimal() or len(port) > 5:
        raise forms.ValidationError(f"{text[:80]!r} is not HOST:PORT, for instance web-1:8080")
    return host.strip("[]"), int(port)


def stale(now: Seen) -> bool:
    """Whether the controller's last word is too old to be shown as the present."""
    return now.is_stale


def endpoint_rows(found: Service, now: Seen) -> list[dict[str, Any]]:
    """What the page shows of each endpoint, in text, and the shares for its bars (None = unknown)."""
    current = None if stale(now) else now.service(found.name)
    by_key = {(each.host, each.port): each for each in current.endpoints} if current else {}
    weights = sum(each.weight for each in by_key.values()) or 1
    return [
        endpoint_row(endpoint, by_key.get((endpoint.host.name, endpoint.port)), weights)
        for endpoint in found.endpoints.all()
    ]


def endpoint_row(endpoint: Endpoint, known: EndpointSeen | None, weights: int) -> dict[str, Any]:
    """known: None where the controller has not spoken lately. weights: the sum of its service's."""
    draining = is_draining(endpoint)
    own = Endpoint.State(endpoint.state)
    health = joined_health(endpoint, known)
    row: dict[str, Any] = {
        "host": endpoint.host.name,
        "port": endpoint.port,
        "key": endpoint.at,
        "state": "draining" if draining and own == Endpoint.State.ACTIVE else own.value,
        "resumable": own != Endpoint.State.ACTIVE,
        "health": health.state,
        "health_reasons": " ".join(health.reasons),
    }
    if known is None:
        silent = dict.fromkeys(("share_text", "weight", "rate", "errors", "in_flight"), "unknown")
        silent["reason"] = "The controller has not spoken of it lately."
        return row | silent | {"share": None, "weight_share": None}
    return row | {
        "share": known.share,
        "weight_share": 0.0 if draining else known.weight / weights,
        "share_text": percent(known.share),
        "weight": str(known.weight),
        "rate": figure(known.rate_per_s),
        "errors": figure(known.errors_per_s),
        "in_flight": str(known.in_flight),
        "reason": reason_of(endpoint, known),
    }
