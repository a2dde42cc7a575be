"""The list of jobs: what narrows it, and what an export says of a job."""

from __future__ import annotations

from console.jobs.models import Job
from console.lists.facets import equal, having, identity
from console.lists.listing import Listing, fields

JOBS = Listing(
    "jobs",
    lambda: Job.objects.select_related("placement__host"),
    fields(
        "id",
        "task",
        "state",
        "tenant",
        "priority",
        "placement__host__name",
        "attempt",
        "demand",
        "error",
        "waiting_for",
        "created_at",
        "started_at",
        "ended_at",
    ),
    (
        equal("state", choices=Job.State.values),
        having("task", "task"),
        equal("host", "placement__host__name"),
        equal("tenant"),
        equal("schedule"),
        identity("array"),
    ),
)
