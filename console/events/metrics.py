"""/metrics in Prometheus' format, read from the live state at scrape time.

A collector that reads when it is scraped can't be reset by a restarting worker process,
which counters kept in several processes can.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from console.events.status import status
from console.nodes.metrics import traffic
from console.placements.models import Decision
from console.traffic.view import seen


class _Collector:
    def __init__(self, service: str) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Nothing: the registry would else collect once to learn the names, and ask the database twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        now = status()
        yield GaugeMetricFamily("steelyard_hosts", "Hosts that have joined.", now["hosts"])
        yield GaugeMetricFamily(
            "steelyard_hosts_reporting", "Hosts heard of within three keepalives.", now["reporting"]
        )
        yield GaugeMetricFamily("steelyard_services", "Services.", now["services"])
        decided = GaugeMetricFamily(
            "steelyard_decisions", "Decisions of the last thirty days, by outcome.", labels=["outcome"]
        )
        outcomes = Decision.objects.values_list("outcome").annotate(Count("pk")).order_by()
        for outcome, count in outcomes:
            decided.add_metric([outcome], count)
        yield decided
        yield GaugeMetricFamily("steelyard_placements", "Placements held.", now["placements"])
        yield GaugeMetricFamily(
            "steelyard_broker_up", "Whether this process reaches the broker.", float(now["broker"])
        )
        yield GaugeMetricFamily("steelyard_leader_epoch", "Epoch of the leading controller.", now["epoch"])
        yield CounterMetricFamily("steelyard_reports", "Reports taken by this process.", now["reports"])
        refused = CounterMetricFamily(
            "steelyard_reports_refused", "Reports refused, by reason.", labels=["reason"]
        )
        for reason, count in now["reports_refused"].items():
            refused.add_metric([reason], count)
        yield refused
        for kind in ("jobs", "replicas"):
            family = GaugeMetricFamily(
                f"steelyard_{kind}", f"{kind.capitalize()} by state.", labels=["state"]
            )
            for state, count in now[kind].items():
                family.add_metric([state], count)
            yield family
        yield from traffic(seen(), self._service)


def exposition(service: str = "") -> bytes:
    """The text of /metrics. service: whose endpoints have series of their own; "" for none."""
    registry = CollectorRegistry()
    registry.register(_Collector(service))  # type: ignore[arg-type]
    return generate_latest(registry)
