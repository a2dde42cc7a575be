"""What a run of a task needs, learned from what its past runs were seen to use.

Theory of operation. A worker measures each run (clients.measuring) and says it with the end; it is kept in the job's
row. From the newest of them comes what the next run is given: for each resource the amount that all but a few stayed
below, and a margin. A quantile, because one run that went wild must not decide for all; a high one, because who needs
more than it was given harms others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from django.db.models import Max
from django.utils import timezone

from balancer_core.resources import LEAST_AMOUNT
from console.jobs.models import Job, TaskProfile
from console.live.picture import picture

#: Runs that are looked at, the newest; and how many there must be before anything is believed.
RUNS = 100
LEAST_RUNS = 5
#: At most one in twenty runs uses more than it is given.
QUANTILE = 0.95
MARGIN = 1.1
#: A task that nobody has seen is given one core, or half of the smallest host where that is less.
FIRST_CPU = 1.0
SECONDS = "seconds"


def demand_of(task: str) -> dict[str, float]:
    """What a run of the task is given where nobody says: as learned, else the first guess."""
    known = TaskProfile.objects.filter(pk=task).first()
    return dict(known.demand) if known else first_guess()


def first_guess() -> dict[str, float]:
    """Of a task that nobody has seen."""
    snapshot = picture.view()[0]
    cpus = snapshot.capacity[:, snapshot.dimensions.names.index("cpu")]
    smallest = float(cpus[cpus > 0].min(initial=np.inf))
    return {"cpu": min(FIRST_CPU, smallest / 2)}


def profile(runs: Sequence[dict[str, float]]) -> tuple[dict[str, float], float, float] | None:
    """(demand, median seconds, seconds that QUANTILE of them stayed below); None where the runs are too few."""
    if len(runs) < LEAST_RUNS:
        return None
    names = sorted({name for run in runs for name in run} - {SECONDS})
    demand = {}
    for name in names:
        # The amount of a real run, never one between two: half of the runs may need nothing.
        amount = float(np.quantile([run.get(name, 0.0) for run in runs], QUANTILE, method="higher")) * MARGIN
        if amount >= LEAST_AMOUNT:
            demand[name] = amount
    seconds = [run.get(SECONDS, 0.0) for run in runs]
    return demand, float(np.median(seconds)), float(np.quantile(seconds, QUANTILE, method="higher"))


def learn() -> int:
    """Bring the profiles of tasks up to date that have ended since the last time. Returns how many."""
    since: datetime | None = TaskProfile.objects.aggregate(last=Max("learned_at"))["last"]
    now = timezone.now()
    # What a run used is kept of those that succeeded only.
    ended = Job.objects.exclude(used=None).order_by()
    fresh = ended.filter(ended_at__gt=since) if since else ended
    known = 0
    for task in list(fresh.values_list("task", flat=True).distinct()):
        rows = ended.filter(task=task).order_by("-ended_at")
        found = profile(list(rows.values_list("used", flat=True)[:RUNS]))
        if found and found[0]:
            demand, seconds, late_s = found
            values = {"demand": demand, "seconds": seconds, "late_s": late_s, "runs": rows[:RUNS].count()}
            values |= {"learned_at": now}
            TaskProfile.objects.update_or_create(pk=task, defaults=values)
            known += 1
    return known
