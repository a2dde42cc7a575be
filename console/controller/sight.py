"""What the controller tells the console of the engines: figures beside reasons, per endpoint and per node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from balancer_core.steering import WeightPlan
from console.controller.targets import in_words, key_of, told_weight
from console.engines.envoy.access_logs import RequestSeen
from console.engines.envoy.engine import EngineState
from console.engines.envoy.stats import EndpointStats, ServiceStats
from console.engines.target import Window
from console.traffic.models import Service
from console.traffic.view import EndpointSeen, EngineSeen, NodeShare, Refused, RequestShown, ServiceSeen

#: Of each service's access log on its page.
MOST_REQUESTS: Final = 30

_UNSEEN = EndpointStats(health="healthy")


@dataclass(frozen=True, slots=True)
class Sight:
    """One service as the engine sees it: by all nodes together, and by each.

    ages: of endpoints' reports, seconds. windows: of those whose hosts work in some, by key.
    """

    service: Service
    together: ServiceStats
    by_node: Mapping[str, ServiceStats]
    requests: list[RequestShown] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    ages: Mapping[str, float | None] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)


def service_seen(sight: Sight, plan: WeightPlan) -> ServiceSeen:
    """The word on one service."""
    figures = sight.together
    total = sum(each.rate_per_s for each in figures.endpoints.values())
    several = len(sight.by_node) > 1
    endpoints = []
    for endpoint in sight.service.endpoints.all():
        key = key_of(endpoint)
        known = figures.endpoints.get(key)
        seen = known or _UNSEEN
        window = sight.windows.get(key)
        endpoints.append(
            EndpointSeen(
                host=endpoint.host.name,
                port=endpoint.port,
                weight=told_weight(endpoint, plan.weights[key]),
                share=seen.rate_per_s / total if total else 0.0,
                rate_per_s=seen.rate_per_s,
                errors_per_s=seen.errors_per_s,
                in_flight=seen.rq_active,
                requests=seen.rq_total,
                health=known.health if known else "unknown",
                reason=f"{plan.reasons[key]} {in_words(window)}" if window else plan.reasons[key],
                latency_ms=seen.latency_ms,
                flags=seen.flags,
                nodes=_shares(sight.by_node, key) if several else {},
                learnt=plan.weights[key],
                capacity_per_s=plan.capacities[key] if plan.is_learnt else None,
                trust=plan.trusts[key],
                report_age_s=sight.ages.get(key),
            )
        )
    return ServiceSeen(
        endpoints,
        rate_per_s=total,
        p50_ms=figures.latency_ms.get("p50"),
        p99_ms=figures.latency_ms.get("p99"),
        p90_ms=figures.latency_ms.get("p90"),
        errors_per_s=sum(each.errors_per_s for each in figures.endpoints.values()),
        nodes=len(sight.by_node),
        requests=sight.requests,
        refused=sight.refused,
    )


def engines_seen(states: Mapping[str, EngineState]) -> list[EngineSeen]:
    """The word on each node."""
    return [_engine_seen(node, state) for node, state in states.items()]


def request_shown(node: str, request: RequestSeen, named: Callable[[str], str]) -> RequestShown:
    """named: an endpoint's key -> HOST:PORT."""
    return RequestShown(
        at_s=request.at_s,
        node=node,
        client=request.client,
        method=request.method,
        path=request.path,
        status=request.status,
        endpoint=named(request.endpoint) if request.endpoint else "",
        duration_ms=request.duration_ms,
        flags=request.flags,
        attempts=request.attempts,
    )


def _shares(by_node: Mapping[str, ServiceStats], key: str) -> dict[str, NodeShare]:
    found = {}
    for node, service in by_node.items():
        seen = service.endpoints.get(key)
        if seen is not None:
            found[node] = NodeShare(
                seen.rate_per_s, seen.errors_per_s, seen.rq_active, seen.latency_ms, seen.health, seen.flags
            )
    return found


def _engine_seen(node: str, state: EngineState) -> EngineSeen:
    report = state.report
    refused = "; ".join(f"{each.name}: {each.text}" for each in state.ads.rejections)
    if report is None:
        return EngineSeen(
            node,
            state.ads.connected,
            refused,
            desired=state.desired,
            applied=state.applied,
            lacks_s=state.lacks_s,
            on_trial=state.on_trial,
            last_refusal=state.refusal,
            acked=state.acked,
            nacked=state.refused,
        )
    return EngineSeen(
        node=node,
        connected=state.ads.connected,
        refused=refused,
        version=report.version,
        ready=report.ready,
        uptime_s=report.uptime_s,
        restarts=report.restarts,
        picker=report.picker,
        picker_reason=report.picker_reason,
        desired=state.desired,
        applied=state.applied,
        lacks_s=state.lacks_s,
        on_trial=state.on_trial,
        last_refusal=state.refusal,
        acked=state.acked,
        nacked=state.refused,
        cache=report.cache,
        rate_per_s=sum(
            each.rate_per_s for service in report.services.values() for each in service.endpoints.values()
        ),
        services=len(report.services),
        report_age_s=state.report_age_s,
    )
