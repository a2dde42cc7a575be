"""Lists come in pages of at most 1,000 rows."""

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`?limit=` and `?offset=`; the answer carries count, next, previous and results."""

    default_limit = 100
    max_limit = 1000
