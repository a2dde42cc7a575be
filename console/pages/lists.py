"""Lists on pages: filters from the URL, and one page of rows at a time without counting them all."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

ROWS = 50
#: Offsets cost the database what they skip; who looks for something this far back filters.
LAST_PAGE = 200
LONGEST_TEXT = 200
#: What a list's URL may also say: which page of it, in which order, and which moment of the past is shown.
NO_FILTERS = ("page", "sort", "t")


@dataclass(frozen=True)
class Rows:
    """One page of a list. earlier, later: query strings of its neighbours, None where there is none."""

    items: Sequence[Any]
    number: int
    earlier: str | None
    later: str | None
    filtered: bool

    def __iter__(self) -> Any:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def rows_of(request: HttpRequest, every: QuerySet[Any] | Sequence[Any], size: int = ROWS) -> Rows:
    """The page that the URL asks for (?page=N). One row more is read to know whether there is a next one."""
    number = page_number(request)
    start = (number - 1) * size
    found = list(every[start : start + size + 1])
    return Rows(
        items=found[:size],
        number=number,
        earlier=_query(request, number - 1) if number > 1 else None,
        later=_query(request, number + 1) if len(found) > size and number < LAST_PAGE else None,
        filtered=any(value for key, value in request.GET.items() if key not in NO_FILTERS),
    )


def page_number(request: HttpRequest) -> int:
    """?page=, at least 1 and at most LAST_PAGE; what is no number is 1."""
    text = request.GET.get("page", "")
    return min(max(int(text), 1), LAST_PAGE) if text.isdecimal() and len(text) < 6 else 1


def text_of(request: HttpRequest, key: str) -> str:
    """A filter's text: trimmed, bounded, without the NUL that no database takes."""
    return request.GET.get(key, "").replace("\x00", "").strip()[:LONGEST_TEXT]


def choice_of(request: HttpRequest, key: str, choices: Sequence[str], default: str = "") -> str:
    """A filter with fixed choices; anything else is the default."""
    text = request.GET.get(key, "")
    return text if text in choices else default


def uuid_of(text: str) -> uuid.UUID | None:
    """The identity that a text is, or None."""
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


def _query(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return "?" + query.urlencode()
