"""What Prometheus gets of services and engines, from the controller's last word.

Bounded: a series for each service and each node, MOST of either; one for an endpoint only of a service that the scrape
asks for by name, MOST_ENDPOINTS of it. What is older than some seconds is not given: a gap says that nobody knows, a
frozen number would not.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from console.traffic.view import Seen, ServiceSeen
from console.traffic.views import stale

MOST = 200
MOST_ENDPOINTS = 1000
_HEALTH = ("healthy", "draining", "unhealthy", "ejected", "unknown")


def traffic(now: Seen, of: str = "") -> Iterator[Metric]:
    """The series of this moment. of: the service whose endpoints are wanted as well; "" for none."""
    yield GaugeMetricFamily(
        "steelyard_controller_spoke", "Whether the controller told of traffic lately.", float(not stale(now))
    )
    if stale(now):
        return
    yield from _services(dict(sorted(now.traffic.services.items())[:MOST]))
    yield from _engines(now)
    if of in now.traffic.services:
        yield from _endpoints(of, now.traffic.services[of])
    yield GaugeMetricFamily(
        "steelyard_held_back", "Services that the guard keeps as they were.", len(now.traffic.held)
    )


def _services(services: dict[str, ServiceSeen]) -> Iterator[Metric]:
    rate = GaugeMetricFamily("steelyard_service_requests_per_s", "Requests a second.", labels=["service"])
    errors = GaugeMetricFamily("steelyard_service_errors_per_s", "Errors a second.", labels=["service"])
    latency = GaugeMetricFamily(
        "steelyard_service_latency_ms", "Of the last seconds.", labels=["service", "quantile"]
    )
    endpoints = GaugeMetricFamily("steelyard_endpoints", "Endpoints.", labels=["service", "health"])
    for name, service in services.items():
        rate.add_metric([name], service.rate_per_s)
        errors.add_metric([name], service.errors_per_s)
        for quantile, value in (("0.5", service.p50_ms), ("0.9", service.p90_ms), ("0.99", service.p99_ms)):
            if value is not None:
                latency.add_metric([name, quantile], value)
        healths = [each.health for each in service.endpoints]
        for health in _HEALTH:
            endpoints.add_metric([name, health], healths.count(health))
    yield from (rate, errors, latency, endpoints)


def _endpoints(name: str, service: ServiceSeen) -> Iterator[Metric]:
    labels = ["service", "endpoint"]
    families = {
        "requests_per_s": ("rate_per_s", "Requests a second."),
        "errors_per_s": ("errors_per_s", "Errors a second."),
        "in_flight": ("in_flight", "Requests under way."),
        "latency_ms": ("latency_ms", "Mean of the last second; none while nothing was asked."),
        "weight": ("weight", "What the engines were told."),
    }
    for short, (field, text) in families.items():
        family = GaugeMetricFamily(f"steelyard_endpoint_{short}", text, labels=labels)
        for each in service.endpoints[:MOST_ENDPOINTS]:
            value = getattr(each, field)
            if value is not None:
                family.add_metric([name, f"{each.host}:{each.port}"], float(value))
        yield family


def _engines(now: Seen) -> Iterator[Metric]:
    gauges = {
        "connected": "Whether it listens to the leading controller.",
        "ready": "Whether its Envoy has a configuration and serves.",
        "desired": "Resources that it shall have.",
        "applied": "Of these, those that it acknowledged.",
    }
    for field, text in gauges.items():
        family = GaugeMetricFamily(f"steelyard_engine_{field}", text, labels=["engine"])
        for each in now.traffic.engines[:MOST]:
            family.add_metric([each.node], float(getattr(each, field)))
        yield family
    for field, text in (
        ("acked", "Resources acknowledged over xDS."),
        ("nacked", "Resources refused over xDS."),
    ):
        counter = CounterMetricFamily(f"steelyard_engine_{field}", text, labels=["engine"])
        for each in now.traffic.engines[:MOST]:
            counter.add_metric([each.node], getattr(each, field))
        yield counter
