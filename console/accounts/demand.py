"""Holding up who must have a second factor and has given none, until it is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect

from console.accounts.second_factor import is_missing

#: What is open meanwhile, by the URL's name.
OPEN = ("second-factor", "logout")


class SecondFactorDemanded:
    """Middleware: pages lead to where a second factor is set up, the API refuses. Tokens are asked for none: they are
    made by people who gave one, and end by themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """None where the view may answer."""
        is_api = request.path.startswith(("/api/v1/", "/metrics"))
        is_open = not (getattr(view, "login_required", True) or is_api)
        if (
            is_open
            or request.resolver_match.url_name in OPEN
            or not is_missing(request.user, request.session)
        ):
            return None
        if not is_api:
            return redirect("second-factor")
        body = {
            "type": "second-factor",
            "title": "Forbidden",
            "status": 403,
            "detail": "Your role must have a second factor: set one up at /settings/second-factor/.",
        }
        return JsonResponse(body, status=403, content_type="application/problem+json")
