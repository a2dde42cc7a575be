"""How hosts' disks fill: a sample an hour of each, and the growth a day that they show.

Four whole days are kept, so that a daily rhythm is no trend. Only the controller keeps samples, with its epoch.
"""

from __future__ import annotations

from datetime import datetime

from balancer_core.forecast import LEAST_SAMPLES, trend
from console.fleet.models import Host
from console.live.picture import picture
from console.storage.models import DiskSeen

EVERY_S = 3600.0
MOST_SAMPLES = 96
DAY_S = 86_400.0


def sample_disks(now: datetime) -> int:
    """Keep what each host that reported holds now, in the caller's transaction. Returns of how many."""
    at = now.timestamp()
    seen = {each.host_id: each for each in DiskSeen.objects.all()}
    changed, made = [], []
    for pk, name in Host.objects.filter(lost_since=None).values_list("pk", "name"):
        used = picture.used(name).get("disk")
        row = seen.get(pk)
        if used is None or (row and row.samples and at - row.samples[-1][0] < EVERY_S):
            continue
        if row is None:
            made.append(DiskSeen(host_id=pk, samples=[[at, used]]))
        else:
            row.samples = [*row.samples, [at, used]][-MOST_SAMPLES:]
            changed.append(row)
    DiskSeen.objects.bulk_create(made)
    DiskSeen.objects.bulk_update(changed, ["samples"])
    return len(made) + len(changed)


def growth_a_day(samples: list[list[float]]) -> float | None:
    """Bytes a day by the line through the samples; None where they are too few for one."""
    if len(samples) < LEAST_SAMPLES:
        return None
    at, used = zip(*samples, strict=True)
    return trend(at, used).slope_per_s * DAY_S
