"""From counters to rates, and from several nodes to one service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from console.engines.envoy.stats import EndpointStats, ServiceStats

#: What is in flight is seen once a second and jumps: its mean, and the rate's, over some seconds.
SMOOTHING: Final = 0.25
#: Below this many requests a second a mean latency would be made of noise.
LEAST_RATE: Final = 0.05
_ORDER: Mapping[str, int] = {"healthy": 0, "draining": 1, "ejected": 2, "unhealthy": 3}


@dataclass(slots=True)
class _Track:
    rate: float = 0.0
    in_flight: float = 0.0


@dataclass(slots=True)
class Readings:
    """One node's readings, in order. at_s: seconds of one monotonic clock."""

    _at_s: float = 0.0
    _before: Mapping[str, ServiceStats] = field(default_factory=dict)
    _tracks: dict[tuple[str, str], _Track] = field(default_factory=dict)

    def take(self, services: Mapping[str, ServiceStats], at_s: float) -> dict[str, ServiceStats]:
        """The reading with rates since the one before. A counter that fell is a restarted engine's: no rate yet."""
        elapsed = at_s - self._at_s
        tracks: dict[tuple[str, str], _Track] = {}
        found = {}
        for name, service in services.items():
            before = self._before.get(name)
            endpoints = {}
            for key, now in service.endpoints.items():
                then = before.endpoints.get(key) if before else None
                track = tracks[name, key] = self._tracks.get((name, key)) or _Track()
                if then is None or elapsed <= 0 or now.rq_total < then.rq_total:
                    endpoints[key] = now
                    continue
                rate = (now.rq_total - then.rq_total) / elapsed
                track.rate += SMOOTHING * (rate - track.rate)
                track.in_flight += SMOOTHING * (now.rq_active - track.in_flight)
                if not rate and not now.rq_active and now.rq_error == then.rq_error:
                    endpoints[key] = now  # most of them, most of the time
                    continue
                endpoints[key] = msgspec.structs.replace(
                    now,
                    rate_per_s=rate,
                    errors_per_s=max(now.rq_error - then.rq_error, 0) / elapsed,
                    latency_ms=1000 * track.in_flight / track.rate if track.rate > LEAST_RATE else None,
                )
            found[name] = ServiceStats(endpoints, service.counters, service.latency_ms)
        self._at_s, self._before, self._tracks = at_s, services, tracks
        return found


def summed(nodes: Iterable[Mapping[str, ServiceStats]]) -> dict[str, ServiceStats]:
    """All nodes as if they were one.

    Numbers and rates add up. Health is the best word of any (who sees it well sends it requests), weight the
    largest, a latency's mean weighs by rate, and its percentiles are the worst node's: percentiles do not add.
    """
    found: dict[str, ServiceStats] = {}
    for node in nodes:
        for name, service in node.items():
            known = found.get(name)
            found[name] = service if known is None else _both(known, service)
    return found


def _both(one: ServiceStats, other: ServiceStats) -> ServiceStats:
    endpoints = dict(one.endpoints)
    for key, each in other.endpoints.items():
        endpoints[key] = _joined(endpoints[key], each) if key in endpoints else each
    counters = dict(one.counters)
    for name, number in other.counters.items():
        counters[name] = counters.get(name, 0) + number
    latency = dict(one.latency_ms)
    for name, value in other.latency_ms.items():
        latency[name] = max(latency.get(name, 0.0), value)
    return ServiceStats(endpoints, counters, latency)


def _joined(one: EndpointStats, other: EndpointStats) -> EndpointStats:
    better = min(one, other, key=lambda each: _ORDER[each.health])
    rate = one.rate_per_s + other.rate_per_s
    timed = [each for each in (one, other) if each.latency_ms is not None and each.rate_per_s]
    weight = sum(each.rate_per_s for each in timed)
    return EndpointStats(
        weight=max(one.weight, other.weight),
        health=better.health,
        flags=better.flags,
        rq_total=one.rq_total + other.rq_total,
        rq_success=one.rq_success + other.rq_success,
        rq_error=one.rq_error + other.rq_error,
        rq_timeout=one.rq_timeout + other.rq_timeout,
        rq_active=one.rq_active + other.rq_active,
        cx_total=one.cx_total + other.cx_total,
        cx_active=one.cx_active + other.cx_active,
        cx_connect_fail=one.cx_connect_fail + other.cx_connect_fail,
        rate_per_s=rate,
        errors_per_s=one.errors_per_s + other.errors_per_s,
        latency_ms=sum((each.latency_ms or 0.0) * each.rate_per_s for each in timed) / weight
        if weight
        else None,
    )
