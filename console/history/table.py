"""A stretch of one host's past as rows: for the page without pictures, and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from console.history.read import KINDS, state_words
from console.live.frames import BARS

MOST_ROWS = 48
COLUMNS = [f"{bar} {kind}" for bar in BARS for kind in KINDS]


@dataclass(frozen=True)
class Row:
    """What was least, p95, most and reserved from a moment on; shares of capacity, None where unknown."""

    at: datetime
    words: list[str]
    cells: dict[str, dict[str, float | None]]


def rows(series: dict[str, Any], most: int = MOST_ROWS) -> list[Row]:
    """At most so many rows of a series, each over as many of its points; a p95 over several is the highest of them,
    so that it is never said too low. O(points)."""
    count = len(series["at"])
    each = -(-count // most) if count else 1
    return [_row(series, slice(start, start + each)) for start in range(0, count, each)]


def as_csv(series: dict[str, Any]) -> str:
    """All points, times in UTC. Only numbers, times and our own words: no spreadsheet takes them for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["at", "state", *COLUMNS])
    for row in rows(series, max(len(series["at"]), 1)):
        shares = [row.cells[bar][kind] for bar in BARS for kind in KINDS]
        cells = ["" if share is None else f"{share:.3f}" for share in shares]
        writer.writerow([row.at.isoformat(), " ".join(row.words), *cells])
    return text.getvalue()


def _row(series: dict[str, Any], part: slice) -> Row:
    bits = 0
    for state in series["state"][part]:
        bits |= state
    cells = {
        bar: {
            kind: (min if kind == "min" else max)(
                (share for share in series["used"][bar][kind][part] if share is not None), default=None
            )
            for kind in KINDS
        }
        for bar in BARS
    }
    return Row(datetime.fromtimestamp(series["at"][part][0], UTC), state_words(bits), cells)
