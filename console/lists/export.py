"""A list as CSV or JSON, row by row as the database gives it.

Texts come from agents and tenants. A spreadsheet runs a text that looks like a formula; such a one gets an
apostrophe in front (OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from console.lists.listing import CHUNK

#: The last four are their full-width forms, which some spreadsheets take as well.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

Record = Mapping[str, Any]


def exported(request: HttpRequest, form: str, name: str, records: Iterable[Record]) -> StreamingHttpResponse:
    """The answer that is saved as name. form: of TYPES."""
    parts = (as_csv if form == "csv" else as_json)(records)
    body: Any = _without_blocking(parts) if isinstance(request, ASGIRequest) else parts
    return StreamingHttpResponse(
        body,
        content_type=TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"', "Cache-Control": "no-store"},
    )


def as_csv(records: Iterable[Record]) -> Iterator[str]:
    """RFC 4180, with a line of the columns' names where there is any row."""
    rows = iter(records)
    first = True
    while chunk := list(islice(rows, CHUNK)):
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        if first:
            writer.writerow(chunk[0])
        writer.writerows([_cell(value) for value in row.values()] for row in chunk)
        first = False
        yield out.getvalue()


def as_json(records: Iterable[Record]) -> Iterator[str]:
    """One array, an object a row."""
    rows = iter(records)
    before = "["
    while chunk := list(islice(rows, CHUNK)):
        yield before + ",\n".join(json.dumps(row, default=_plain, ensure_ascii=False) for row in chunk)
        before = ",\n"
    yield "[]\n" if before == "[" else "]\n"


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool() | int() | float():
            return value
        case dict() | list() | tuple():
            return guarded(json.dumps(value, default=_plain, ensure_ascii=False))
        case datetime():
            return value.isoformat()
        case _:
            return guarded(str(value))


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    risky = text.lstrip().startswith(FORMULA) or text[:1] in ("\t", "\r", "\n")
    return f"'{text}" if risky else text


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def _without_blocking(parts: Iterator[str]) -> AsyncIterator[str]:
    """The parts, each made in the request's thread: the event loop serves others meanwhile."""
    while (part := await sync_to_async(next)(parts, None)) is not None:
        yield part
