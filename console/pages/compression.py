"""Pages and answers of the API over a slow line: compressed, but for those that say a secret.

Who sees how long encrypted answers are, and can make a browser ask for some text, learns of a compressed answer what
else stands in it (BREACH). The token of our forms is another one in every answer, and Django adds a random length to
each (Heal The Breach). What is secret itself, codes and tokens that are shown once, stands on pages that nobody may
keep (never_cache), and those are sent as they are.
"""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware, re_accepts_gzip

_TEXT = re.compile(r"text/|application/(\w+\+)?(json|javascript|yaml)|image/svg")


def is_text(response: HttpResponseBase) -> bool:
    """Whether it gets smaller: pictures and archives are compressed already."""
    return _TEXT.match(response.get("Content-Type", "")) is not None


def takes_gzip(request: HttpRequest) -> bool:
    return re_accepts_gzip.search(request.META.get("HTTP_ACCEPT_ENCODING", "")) is not None


class Compression(GZipMiddleware):
    """Django's own, for texts that may be kept."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not is_text(response) or "no-store" in response.get("Cache-Control", ""):
            return response
        return super().process_response(request, response)
