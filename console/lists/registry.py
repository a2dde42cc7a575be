"""Every list that is exported, and every action that can be done to many things."""

from __future__ import annotations

from typing import Any

from console.alerts.listing import ALERTS
from console.events.listing import EVENTS
from console.fleet.actions.lifecycle import Cordon, Drain, Uncordon
from console.fleet.listing import HOSTS
from console.jobs.actions.ending import Cancel, LetGo, Retry
from console.jobs.listing import JOBS
from console.multi import MultiAction
from console.nodes.listing import ENGINES
from console.placements.actions.release import Release
from console.placements.listing import DECISIONS, PLACEMENTS
from console.storage.listing import MOVE_PLANS, SHARDS
from console.traffic.actions.endpoints import CloseEndpoint, DrainEndpoint, ResumeEndpoint
from console.traffic.listing import CERTIFICATES, ENDPOINTS, SERVICES

Kind = type[MultiAction[Any]]
KINDS: dict[str, Kind] = {
    kind.NAME: kind
    for kind in (
        Cordon, Drain, Uncordon, Cancel, Retry, LetGo, Release, DrainEndpoint, CloseEndpoint, ResumeEndpoint,
    )
}  # fmt: skip

LISTINGS = {
    each.name: each
    for each in (
        HOSTS,
        SERVICES,
        ENDPOINTS,
        JOBS,
        SHARDS,
        MOVE_PLANS,
        DECISIONS,
        PLACEMENTS,
        ALERTS,
        EVENTS,
        CERTIFICATES,
        ENGINES,
    )
}
