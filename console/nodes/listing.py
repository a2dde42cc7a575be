"""The list of engines as it is exported."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from console.lists.listing import Listing
from console.traffic.view import seen


def _engines() -> list[dict[str, Any]]:
    """The controller's last word on each node; said_age_s: how old it is. A rate that is too old is unknown."""
    now = seen()
    return [
        {**asdict(each), "rate_per_s": None if now.is_stale else each.rate_per_s, "said_age_s": now.age_s}
        for each in now.traffic.engines
    ]


ENGINES = Listing("engines", _engines, dict)
