"""Bodies of requests: JSON, and only what can be kept and said again."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from console.actions import is_storable


class StrictJSONParser(JSONParser):
    """No NaN, no NUL and no half characters, wherever in the body: a database or an answer would fail on them."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The body's value. Raises ParseError, which is 400."""
        try:
            value = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        if not is_storable(value):
            raise ParseError("JSON parse error - NUL and half characters are not taken")
        return value
