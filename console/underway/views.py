"""What is under way, as a page: the strip's lines with all that belongs to them, also without scripts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts.models import Role
from console.pages.frame import page
from console.underway.sources import gather
from console.underway.watch import shown


@page()
def underway(request: HttpRequest) -> HttpResponse:
    """Everything that runs now, and what somebody should know of; read when it is asked for."""
    user: Any = request.user
    return render(request, "underway/underway.html", shown(gather(), Role(user.role)))
