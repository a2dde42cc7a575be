"""Lists come in pages of at most 1,000 rows."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

MOST_ROWS = 2**53


class Pages(LimitOffsetPagination):
    """`?limit=` and `?offset=`; the answer carries count, next, previous and results."""

    default_limit = 100
    max_limit = 1000

    def get_offset(self, request: Request) -> int:
        """At most what a database can count to."""
        return min(super().get_offset(request), MOST_ROWS)
