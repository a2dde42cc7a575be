"""Exports of lists."""

from __future__ import annotations

from django.http import Http404, HttpRequest, StreamingHttpResponse

from console.lists.export import TYPES, exported
from console.lists.registry import LISTINGS
from console.pages.frame import page


@page()
def export(request: HttpRequest, listing: str, form: str) -> StreamingHttpResponse:
    """The whole list that the page's URL asks for, as CSV or JSON."""
    if listing not in LISTINGS or form not in TYPES:
        raise Http404(f"There is no list {listing} as {form}.")
    return exported(request, form, listing, LISTINGS[listing].records(request.GET.dict()))
