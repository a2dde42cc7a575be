"""The API's page: every operation by what it is about, how to call it, and Swagger's explorer to try it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from knox.models import AuthToken

from console.api.views import ActionView
from console.pages.frame import page

METHODS = ("get", "post", "put", "patch", "delete")


@page()
def api_page(request: HttpRequest) -> HttpResponse:
    """All operations, the schema, this account's tokens and a call to paste."""
    tokens = AuthToken.objects.filter(user=request.user).order_by("created")
    context = {
        "groups": operations(),
        "tokens": tokens,
        "base": f"{settings.STEELYARD_URL}/api/v1/",
        "count": sum(len(each) for each in operations().values()),
    }
    return render(request, "api/api.html", context)


@page()
def explorer(request: HttpRequest) -> HttpResponse:
    """Swagger UI on our schema, from this console: nothing is fetched from elsewhere."""
    return render(request, "api/explorer.html")


@lru_cache(maxsize=1)
def operations() -> dict[str, list[dict[str, Any]]]:
    """By the first part of the path: method, path and what it does. Made once a process: the routes don't change."""
    found: dict[str, list[dict[str, Any]]] = {}
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path, methods in schema["paths"].items():
        group = path.removeprefix("/api/v1/").partition("/")[0]
        for method in METHODS:
            if method in methods:
                said = methods[method].get("description", "")
                if said == ActionView.__doc__:  # inherited by those that say nothing of their own
                    said = ""
                found.setdefault(group, []).append(
                    {
                        "method": method.upper(),
                        "path": path,
                        "about": " ".join(said.split()).partition(". ")[0],
                    }
                )
    return dict(sorted(found.items()))
