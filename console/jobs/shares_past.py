"""Tenants' shares over the last day: a point a minute, kept by the leading controller, and how it is read.

A point is one row with all tenants that held or wanted something; a minute without a row is one in which nobody looked,
and shows as a gap. The table is bounded: what is older than a day goes with the next point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from balancer_core.cluster import Snapshot
from console.jobs import queue
from console.jobs.models import SharesSeen
from console.jobs.shares import Share, shares
from console.live.picture import picture

EVERY = timedelta(minutes=1)
#: What can be looked at, and how much time is one point of it.
RANGES: dict[str, tuple[timedelta, timedelta]] = {
    "1h": (timedelta(hours=1), EVERY),
    "24h": (timedelta(hours=24), timedelta(minutes=15)),
}
USUAL = "1h"
KEPT = max(length for length, _ in RANGES.values()) + timedelta(minutes=15)
_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Past:
    """One tenant's past. share: the most of each stretch, fair and quota: of its end, each from 0 to 1 of the whole
    cluster; None where nobody looked, quota also where it has none of the dominant resource. weight and resource: the
    newest."""

    name: str
    weight: float = 1.0
    resource: str = ""
    share: list[float | None] = field(default_factory=list)
    fair: list[float | None] = field(default_factory=list)
    quota: list[float | None] = field(default_factory=list)

    @property
    def now(self) -> float | None:
        return self._newest(self.share)

    @property
    def fair_now(self) -> float | None:
        return self._newest(self.fair)

    @property
    def quota_now(self) -> float | None:
        return self._newest(self.quota)

    @property
    def most(self) -> float | None:
        return max((share for share in self.share if share is not None), default=None)

    def _newest(self, values: list[float | None]) -> float | None:
        """Of the newest stretch in which somebody looked."""
        places = [place for place, share in enumerate(self.share) if share is not None]
        return values[places[-1]] if places else None


@dataclass(frozen=True)
class Pasts:
    """at: when each stretch of step_s begins. tenants: who held or wanted something in it, the largest share first."""

    range: str
    step_s: float
    at: list[datetime]
    tenants: list[Past]


def keep_shares(now: datetime) -> bool:
    """Keep this minute's point, in the caller's transaction. False where it is there."""
    at = _floor(now, EVERY)
    if SharesSeen.objects.filter(at=at).exists():
        return False
    snapshot = picture.view()[0]
    names, _ = queue.whose_turn(snapshot, queue.held())
    waiting = queue.line(names, now, 1).jobs
    seen = {
        name: [each.share, each.fair, _quota(each, snapshot), each.tenant.weight, each.resource]
        for name, each in shares(snapshot, waiting).items()
    }
    SharesSeen.objects.create(at=at, tenants=seen)
    SharesSeen.objects.filter(at__lt=at - KEPT).delete()
    return True


def pasts(name: str, now: datetime) -> Pasts:
    """The past of all tenants over a range, a key of RANGES. One query."""
    length, step = RANGES[name]
    count = length // step
    begin = _floor(now, step) - step * (count - 1)
    found: dict[str, Past] = {}
    seen = [False] * count
    for at, tenants in SharesSeen.objects.filter(at__gte=begin).order_by("at").values_list("at", "tenants"):
        place = (at - begin) // step
        if place >= count:
            continue
        if not seen[place]:
            seen[place] = True
            for past in found.values():
                # Who is not named held and wanted nothing.
                past.share[place], past.fair[place] = 0.0, 0.0
        for tenant, point in tenants.items():
            past = found.get(tenant) or found.setdefault(tenant, _unseen(tenant, seen))
            _add(past, place, point)
    order = sorted(found.values(), key=lambda past: (-(past.now or 0.0), past.name))
    return Pasts(name, step.total_seconds(), [begin + step * place for place in range(count)], order)


def _unseen(name: str, seen: list[bool]) -> Past:
    """Of a tenant that is met for the first time: nothing, wherever somebody looked."""
    nothing: list[float | None] = [0.0 if each else None for each in seen]
    return Past(name, share=nothing, fair=nothing[:], quota=[None] * len(seen))


def _add(past: Past, place: int, point: list[Any]) -> None:
    share, past.fair[place], past.quota[place], past.weight, resource = point
    past.share[place] = max(past.share[place] or 0.0, share)
    past.resource = resource or past.resource


def _quota(each: Share, snapshot: Snapshot) -> float | None:
    """The share that the tenant's quota lets it have of its dominant resource; while it holds nothing, of the resource
    of which it may have least. None without such a quota."""
    quota: Mapping[str, float] = each.tenant.quota
    total = dict(zip(snapshot.dimensions.names, snapshot.capacity.sum(axis=0), strict=True))
    bounded = [name for name in quota if name == each.resource or not each.resource]
    parts = [quota[name] / total[name] for name in bounded if total.get(name, 0.0) > 0.0]
    return float(np.min(parts)) if parts else None


def _floor(at: datetime, step: timedelta) -> datetime:
    return _BEGAN + (at - _BEGAN) // step * step
