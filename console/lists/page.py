"""What every list's page is drawn from: the rows its URL asks for, what was chosen, what this person keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from console.accounts.preferences import preferences_of
from console.lists import columns
from console.lists.columns import Column
from console.lists.listing import Listing
from console.pages.lists import rows_of

#: What of a URL is no part of a view: the page, and the moment of the past.
PASSING = ("page", "t")


@dataclass(frozen=True)
class Head:
    """One column's head. query: the URL's, in the order that its link asks for; sorted: ascending, descending or ""."""

    column: Column
    query: str
    sorted: str


def listed(request: HttpRequest, listing: Listing, found: Any = None) -> dict[str, Any]:
    """The context of the list's page. found: all of the list, read as this page needs it."""
    kept = preferences_of(request.user)
    query = request.GET.dict()
    picked = columns.shown(listing.columns, kept.get(f"columns.{listing.name}")) if listing.columns else []
    return {
        "listing": listing.name,
        "rows": rows_of(request, listing.narrowed(query, found)),
        "chosen": listing.chosen(query),
        "views": kept.get(f"views.{listing.name}"),
        "view_query": view_of(request),
        "export_query": _exported(request, listing, picked),
        "columns": picked,
        "columns_left": [column for column in listing.columns if column not in picked],
        "heads": [_head(query, column) for column in picked],
    }


def view_of(request: HttpRequest) -> str:
    """The query that makes this view: filters and order, without what only passes."""
    return urlencode([(key, value) for key, value in request.GET.items() if key not in PASSING and value])


def _exported(request: HttpRequest, listing: Listing, picked: list[Column]) -> str:
    """An export of chosen columns says so in its URL, so that it is the same for whoever has it."""
    chosen = picked != columns.usual(listing.columns)
    more = urlencode({"columns": ",".join(column.key for column in picked)}) if chosen else ""
    return "&".join(part for part in (view_of(request), more) if part)


def _head(query: dict[str, str], column: Column) -> Head:
    """Pressed once numbers begin with the most, all else with the first; pressed again, from the other end."""
    now = query.get("sort", "name")
    first, second = (f"-{column.key}", column.key) if column.number else (column.key, f"-{column.key}")
    order = {column.key: "ascending", f"-{column.key}": "descending"}.get(now, "")
    kept = {key: value for key, value in query.items() if key != "page" and value}
    return Head(column, urlencode({**kept, "sort": second if now == first else first}), order)
