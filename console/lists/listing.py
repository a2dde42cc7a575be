"""A list, declared once: what it holds, what its URL narrows it by, and what an export says of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from console.lists.columns import Column, picked
from console.lists.facets import Facet

#: Rows that an export reads at a time.
CHUNK = 500

Record = Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Listing:
    """name: of its page's URL, where it has one, and of what people keep of it. found(): everything in it, a queryset
    or a list. record(row): what an export says of a row, by field. columns: what its table can show, if that is chosen.
    order(found, key): in the order that ?sort= asks for.
    """

    name: str
    found: Callable[[], Any]
    record: Record
    facets: tuple[Facet, ...] = ()
    columns: tuple[Column, ...] = ()
    order: Callable[[Any, str], Any] | None = None

    def chosen(self, query: Mapping[str, str]) -> dict[str, str]:
        """What the URL asks for by facet, "" for nothing."""
        return {facet.key: facet.value(query) for facet in self.facets}

    def narrowed(self, query: Mapping[str, str], found: Any = None) -> Any:
        """What of the list (or of found, which is all of it read in another way) the URL asks for, in its order."""
        found = self.found() if found is None else found
        for facet in self.facets:
            if value := facet.value(query):
                found = facet.narrow(found, value)
        return self.order(found, query.get("sort", "")) if self.order else found

    def records(self, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """The rows that the URL asks for as an export says them, read in chunks; with ?columns= only what those say."""
        found = self.narrowed(query)
        rows: Iterable[Any] = found.iterator(chunk_size=CHUNK) if isinstance(found, QuerySet) else found
        fields = picked(self.columns, query.get("columns", ""))
        for row in rows:
            said = self.record(row)
            yield {field: said[field] for field in fields} if fields else said


def fields(*names: str) -> Record:
    """A record of attributes; a__b is attribute b of a."""

    def record(row: Any) -> dict[str, Any]:
        values = {}
        for name in names:
            value = row
            for part in name.split("__"):
                value = None if value is None else getattr(value, part)
            values[name.replace("__", "_")] = value
        return values

    return record
