"""The state of the whole, for people, programs and monitoring."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from django.db.models import Count

from console.controller.models import Lease
from console.fleet.models import Host
from console.jobs.models import Job
from console.live import feed
from console.live.ingest import refused
from console.live.link import links
from console.live.picture import picture
from console.placements.models import Placement
from console.storage.models import Replica
from console.traffic.models import Service


def status() -> dict[str, Any]:
    """Counts of what there is, from the database; freshness from this process's picture."""
    lease = Lease.objects.first()
    states = picture.states(time.monotonic())
    return {
        "hosts": Host.objects.count(),
        "reporting": int(np.count_nonzero((states & 8) == 0)),
        "services": Service.objects.count(),
        "placements": Placement.objects.filter(state=Placement.State.HELD).count(),
        "jobs": dict(Job.objects.values_list("state").annotate(Count("pk")).order_by()),
        "replicas": dict(Replica.objects.values_list("state").annotate(Count("pk")).order_by()),
        "leader": lease.holder if lease else None,
        "epoch": lease.epoch if lease else 0,
        "broker": feed.feed is not None and feed.feed.bus.connected,
        "reports": links.reports,
        "reports_refused": dict(refused),
    }
