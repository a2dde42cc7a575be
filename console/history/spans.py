"""The stretch of time that somebody looks at, as URLs say it: one of a few usual ones up to now, or two moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.utils.dateparse import parse_datetime

RANGES = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "14d": timedelta(days=14)}
USUAL = "1h"
#: Times outside these years are nobody's past, and adding a day to them may be no time at all.
YEARS = range(1970, 9999)


@dataclass(frozen=True)
class Span:
    """From begin to end; name is a key of RANGES where it ends now, else ""."""

    name: str
    begin: datetime
    end: datetime

    @property
    def query(self) -> str:
        """As a URL says it. The end of a usual range moves on with the clock."""
        if self.name:
            return urlencode({"range": self.name})
        return urlencode({"begin": self.begin.isoformat(), "end": self.end.isoformat()})


def span_of(query: Mapping[str, str], now: datetime) -> Span:
    """What a page's URL asks for (?range=24h, or ?begin=…&end=…, UTC where no zone is said); the usual where that is
    no stretch of time."""
    begin, end = (moment_of(query.get(key, "")) for key in ("begin", "end"))
    if begin and end and begin < end:
        return Span("", begin, end)
    name = query.get("range", USUAL)
    name = name if name in RANGES else USUAL
    return Span(name, now - RANGES[name], now)


def moment_of(text: str) -> datetime | None:
    """A moment in ISO 8601, or None."""
    try:
        found = parse_datetime(text.strip())
    except ValueError:
        return None
    if found is None or found.year not in YEARS:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
