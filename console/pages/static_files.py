"""Static files from the same process as the pages: whitenoise, answering in one piece and compressed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from whitenoise.compress import Compressor
from whitenoise.middleware import WhiteNoiseMiddleware

from console.pages.compression import is_text, takes_gzip


class StaticFiles(WhiteNoiseMiddleware):
    """Whitenoise hands out open files, which an ASGI server can only read by blocking and with a warning each.
    Ours are a few kilobytes: they are read whole.

    A text is compressed when it is first asked for, as small as it gets, and kept: whitenoise's own way is a file
    beside each, which in a checkout would be old as soon as somebody edits the other one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._compressed: dict[str, bytes] = {}

    def serve(self, static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["content-type"]
        for key, value in found.headers:
            response[key] = value
        if is_text(response):
            patch_vary_headers(response, ("Accept-Encoding",))
            if content and response.status_code == 200 and takes_gzip(request):
                self._compress(request.path_info, response)
        return response

    def _compress(self, path: str, response: HttpResponse) -> None:
        if path not in self._compressed:
            self._compressed[path] = Compressor.compress_gzip(response.content)
        response.content = self._compressed[path]
        response["Content-Length"] = str(len(response.content))
        response["Content-Encoding"] = "gzip"
