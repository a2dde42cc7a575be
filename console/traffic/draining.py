"""Drains of endpoints: whose they are, since when, and when their time is over."""

from __future__ import annotations

from datetime import datetime

from console.engines.target import EndpointState
from console.fleet.models import Host
from console.traffic.health import DrainWord
from console.traffic.models import Endpoint


def is_draining(endpoint: Endpoint) -> bool:
    """Whether it gets no new requests: by its own state, its host's, or because nothing is left of its weight."""
    return (
        endpoint.state != Endpoint.State.ACTIVE
        or endpoint.host.state == Host.State.DRAINING
        or not endpoint.weight_percent
    )


def drain_of(endpoint: Endpoint, drain_s: float | None, now: datetime) -> DrainWord | None:
    """The drain that is under way; None if none is. drain_s: the pool's, None for ever."""
    if not is_draining(endpoint):
        return None
    since = endpoint.draining_since
    for_s = None if since is None else max(0.0, (now - since).total_seconds())
    if endpoint.state == Endpoint.State.CLOSED:
        return DrainWord(False, for_s, 0.0, closed=True)
    by_host = endpoint.host.state == Host.State.DRAINING
    if by_host and endpoint.host.drain_ended_at is not None:
        return DrainWord(by_host, for_s, 0.0)
    if for_s is None:
        return DrainWord(by_host, by_weight=not by_host and endpoint.state == Endpoint.State.ACTIVE)
    return DrainWord(by_host, for_s, None if drain_s is None else max(0.0, drain_s - for_s))


def wanted_state(endpoint: Endpoint, drain_s: float | None, now: datetime) -> EndpointState:
    """What the engine is told of an endpoint, beside its own checks.

    A host whose agent is lost keeps its traffic: the agent may have died alone, and the engine's own health checks
    see the server itself.
    """
    drain = drain_of(endpoint, drain_s, now)
    if drain is None:
        return "healthy"
    return "closed" if drain.left_s is not None and drain.left_s <= 0 else "draining"
