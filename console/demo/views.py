"""The demo fleet's buttons, which stand on the page that adds hosts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from console.accounts.models import Role
from console.demo.actions.fleet import RemoveDemoFleet, StartDemoFleet
from console.demo.figures import MOST_HOSTS
from console.pages.frame import act, page


@page(Role.OPERATOR, "POST")
def start_demo(request: HttpRequest) -> HttpResponse:
    """POST makes the fleet; then it is seen on the map."""
    done = f"{MOST_HOSTS} simulated hosts are here. They report as soon as the controller speaks for them."
    if request.method == "POST" and act(request, StartDemoFleet(), done):
        return redirect("map")
    return redirect("add-host")


@page(Role.OPERATOR, "POST")
def remove_demo(request: HttpRequest) -> HttpResponse:
    """POST forgets it."""
    if request.method == "POST":
        act(request, RemoveDemoFleet(), "The simulated hosts are gone.")
    return redirect("add-host")
