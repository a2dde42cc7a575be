"""A list, declared once: what it holds, what its URL narrows it by, and what an export says of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from console.lists.facets import Facet

#: Rows that an export reads at a time.
CHUNK = 500


@dataclass(frozen=True)
class Listing:
    """found(): everything in it, a queryset or a list. record(row): what an export says of a row, by column."""

    found: Callable[[], Any]
    record: Callable[[Any], Mapping[str, Any]]
    facets: tuple[Facet, ...] = ()

    def chosen(self, query: Mapping[str, str]) -> dict[str, str]:
        """What the URL asks for by facet, "" for nothing."""
        return {facet.key: facet.value(query) for facet in self.facets}

    def narrowed(self, query: Mapping[str, str]) -> Any:
        """What of the list the URL asks for."""
        found = self.found()
        for facet in self.facets:
            if value := facet.value(query):
                found = facet.narrow(found, value)
        return found

    def records(self, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """The rows that the URL asks for as an export says them, read in chunks."""
        found = self.narrowed(query)
        rows = found.iterator(chunk_size=CHUNK) if isinstance(found, QuerySet) else found
        return map(self.record, rows)
