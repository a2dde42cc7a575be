"""Spans of time as people write them: 1h30m, 45 min, 90s, 2d."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(min|[smhd])\s*")


def parse_span(text: str) -> float:
    """Seconds. Raises ValueError saying what would do."""
    total, place = 0.0, 0
    text = text.strip().lower()
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            break
        total += float(part[1]) * _UNITS[part[2]]
        place = part.end()
    if not text or place < len(text):
        raise ValueError(f"{text[:40]!r} is not a span of time such as 45m, 1h30m or 2d")
    return total
