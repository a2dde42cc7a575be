"""A list's facets over REST: the same parameters as in the URL of its page."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from console.lists.facets import Facet


class Facets(BaseFilterBackend):
    """Narrows by the facets of the view's `listing`, where it has one, but for what the view filters by itself.

    A page shows all where its URL asks for what is no choice; a program is told.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        query = request.query_params
        for facet in _facets(view):
            value = facet.value(query)
            if facet.choices and query.get(facet.key) and not value:
                raise ValidationError({facet.key: [f"one of {', '.join(facet.choices)}"]})
            if value:
                queryset = facet.narrow(queryset, value)
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """For the schema's generator."""
        return [
            {
                "name": facet.key,
                "in": "query",
                "required": False,
                "schema": {"type": "string", **({"enum": list(facet.choices)} if facet.choices else {})},
            }
            for facet in _facets(view)
        ]


def _facets(view: Any) -> list[Facet]:
    listing, own = getattr(view, "listing", None), getattr(view, "filterset_class", None)
    known = {*getattr(view, "filterset_fields", ()), *(own.base_filters if own else ())}
    return [facet for facet in (listing.facets if listing else ()) if facet.key not in known]
