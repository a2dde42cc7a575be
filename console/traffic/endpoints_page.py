"""Endpoints of all services: what each is wanted for, and what the engines make of it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.lists.page import listed
from console.pages.frame import offer, page
from console.traffic.actions.services import CreateService
from console.traffic.listing import ENDPOINTS
from console.traffic.models import Endpoint
from console.traffic.view import seen
from console.traffic.views import endpoint_row, stale


@page()
def endpoints(request: HttpRequest) -> HttpResponse:
    """By service, host and port. The figures are the engines' of the last second, and are gone when they are old."""
    found = ENDPOINTS.found().order_by("service__name", "host__name", "port")
    context, now = listed(request, ENDPOINTS, found), seen()
    is_stale = stale(now)
    context |= {
        "endpoints": [
            (endpoint, endpoint_row(endpoint, None if is_stale else now.known(endpoint), 1))
            for endpoint in context["rows"]
        ],
        "states": Endpoint.State.values,
        "traffic": now.traffic,
        "stale": is_stale,
        "offer": offer(request, CreateService, "new", "New service"),
    }
    return render(request, "traffic/endpoints.html", context)
