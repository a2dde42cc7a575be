"""What stands outside the roles: liveness for supervisors, and the answer to paths that do not exist."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request

from console.accounts.permissions import Viewer
from console.events.metrics import exposition


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Says nothing else to a stranger."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """This process can reach its database."""
    try:
        connection.ensure_connection()
    except Exception:
        return HttpResponse("no database\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


@extend_schema(exclude=True)  # not part of the versioned API
@api_view(["GET"])
@permission_classes([Viewer])
def metrics(request: Request) -> HttpResponse:
    """Prometheus' scrape target; needs a token like everything else. ?service=NAME: with that one's endpoints."""
    return HttpResponse(
        exposition(request.query_params.get("service", "")),
        content_type="text/plain; version=0.0.4; charset=utf-8",
    )


@csrf_exempt
@login_not_required
def closed_path(request: HttpRequest, rest: str = "") -> JsonResponse:
    """A path of the API that does not exist: a problem document, not a page."""
    body = {
        "type": "unknown",
        "title": "Not Found",
        "status": 404,
        "detail": "The API has no such path; see schema/.",
    }
    return JsonResponse(body, status=404, content_type="application/problem+json")
