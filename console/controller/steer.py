"""Traffic's control loop: what the engine and the agents see goes in, weights go out.

Once a second, for every service: the engine's counters give rates and errors an endpoint, the live
picture gives its host's capacity and pressure, the core's steering law gives weights, and the engine
is told what changed. What was seen and why each weight is what it is goes to the console.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from balancer_core.errors import InvalidInput
from balancer_core.steering import EndpointView, Steering, WeightPlan
from console.engines.envoy.admin import AdminUnreachable
from console.engines.envoy.ads import AdsServer
from console.engines.envoy.stats import EndpointStats, ServiceStats, read_services
from console.engines.guard import GuardRefused
from console.engines.target import EndpointTarget, InvalidTarget, ServiceTarget, TrafficTarget
from console.engines.target.settings import settings_of
from console.fleet.models import Host
from console.live.picture import SILENT_AFTER_S, Picture
from console.traffic.models import Endpoint, Service
from console.traffic.protected import why_protected
from console.traffic.secrets import Secrets
from console.traffic.view import EndpointSeen, EngineSeen, ServiceSeen, TrafficSeen

log = logging.getLogger(__name__)

NO_SECRETS = Secrets()


@dataclass
class _Observed:
    """One service's endpoints as last read from the engine, and their rates since the read before."""

    at: float = 0.0
    counters: dict[str, EndpointStats] = field(default_factory=dict)
    rates: dict[str, tuple[float, float]] = field(default_factory=dict)  # key to (requests/s, errors/s)
    latency_ms: Mapping[str, float] = field(default_factory=dict)


class Steerer:
    """One leader's control of one engine. The picture and clock are the caller's."""

    def __init__(self, picture: Picture, ads: AdsServer, admin_socket: str, epoch: int) -> None:
        self._picture, self._ads, self._admin_socket, self._epoch = picture, ads, admin_socket, epoch
        self._laws: dict[str, Steering] = {}
        self._observed: dict[str, _Observed] = {}
        self._targets: dict[str, ServiceTarget] = {}
        self._guard = ""

    async def step(self, services: list[Service], now: float, secrets: Secrets = NO_SECRETS) -> TrafficSeen:
        """Read, decide, tell; returns what to show."""
        await self._observe(now)
        for name in (self._laws.keys() | self._targets.keys()) - {service.name for service in services}:
            self._laws.pop(name, None)
            self._observed.pop(name, None)
            self._targets.pop(name, None)
        shares = self._pressures()
        plans: dict[str, WeightPlan] = {}
        wrong = list(secrets.wrong)
        for service in services:
            try:
                plan = self._plan(service, shares, now)
                self._targets[service.name] = _service_target(service, plan)
            except (InvalidTarget, InvalidInput) as error:
                # An agent gave its host an address that another endpoint has: this service stays as it
                # was, if it was, and the others go on.
                wrong.append(f"{service.name} is left as it was: {error}")
            else:
                plans[service.name] = plan
        target = TrafficTarget(
            services=tuple(self._targets.values()),
            epoch=self._epoch,
            certificates=secrets.certificates,
            api_keys=secrets.api_keys,
        )
        self._guard = self._publish(target, wrong)
        return TrafficSeen(
            epoch=self._epoch,
            services={
                each.name: self._seen(each, plans[each.name]) for each in services if each.name in plans
            },
            engines=[
                EngineSeen(
                    node=name,
                    connected=node.connected,
                    refused="; ".join(f"{each.name}: {each.text}" for each in node.rejections),
                )
                for name, node in self._ads.nodes.items()
            ],
            guard=self._guard,
        )

    def _publish(self, target: TrafficTarget, wrong: list[str]) -> str:
        """Give the engine the target; returns "", or what is not as asked for: wrong, and what the guard held back."""
        try:
            self._ads.publish(target)
        except GuardRefused as refusal:
            wrong = [*wrong, str(refusal)]
        said = "; ".join(wrong)
        if said and said != self._guard:
            log.warning("not published: %s", said)
        return said

    async def _observe(self, now: float) -> None:
        try:
            seen = await read_services(self._admin_socket)
        except AdminUnreachable:
            return  # the engine is starting or gone: its absence shows in its connection's state
        for name, stats in seen.items():
            observed = self._observed.setdefault(name, _Observed())
            observed.rates = _rates(observed, stats, now)
            observed.counters, observed.at = dict(stats.endpoints), now
            observed.latency_ms = stats.latency_ms

    def _pressures(self) -> dict[str, tuple[float, float]]:
        """Host to (cores, bottleneck utilisation): the worst of its resources that get worse like a queue."""
        snapshot, _ = self._picture.view()
        used, _ = self._picture.utilisation(snapshot)
        rates = [place for place, each in enumerate(snapshot.dimensions.resources) if each.kind == "rate"]
        with np.errstate(invalid="ignore"):
            worst = np.nanmax(np.nan_to_num(used[:, rates], nan=0.0), axis=1) if len(used) else np.zeros(0)
        return {
            name: (self._picture.capacity(name).get("cpu", 0.0), float(worst[row]))
            for row, name in enumerate(snapshot.names)
        }

    def _plan(self, service: Service, shares: dict[str, tuple[float, float]], now: float) -> WeightPlan:
        observed = self._observed.get(service.name, _Observed())
        views = []
        for endpoint in service.endpoints.all():
            key = key_of(endpoint)
            cores, pressure = shares.get(endpoint.host.name, (0.0, 0.0))
            rate, errors = observed.rates.get(key, (0.0, 0.0))
            counters = observed.counters.get(key)
            age = self._picture.age_s(endpoint.host.name)
            views.append(
                EndpointView(
                    key=key,
                    capacity_cores=cores or 1.0,
                    utilisation=pressure,
                    rate_per_s=rate,
                    errors_per_s=errors,
                    in_flight=counters.rq_active if counters else 0,
                    report_age_s=SILENT_AFTER_S * 100 if age is None else age,
                    healthy=_state(endpoint) == "healthy"
                    and (counters is None or counters.health == "healthy"),
                )
            )
        law = self._laws.get(service.name)
        if law is None:
            # A new leader goes on from the weights that are in force.
            in_force = {key: counters.weight for key, counters in observed.counters.items()}
            law = self._laws[service.name] = Steering(resume=in_force)
        return law.step(views, now)

    def _seen(self, service: Service, plan: WeightPlan) -> ServiceSeen:
        observed = self._observed.get(service.name, _Observed())
        total = sum(rate for rate, _ in observed.rates.values())
        endpoints = []
        for endpoint in service.endpoints.all():
            key = key_of(endpoint)
            rate, errors = observed.rates.get(key, (0.0, 0.0))
            counters = observed.counters.get(key)
            endpoints.append(
                EndpointSeen(
                    host=endpoint.host.name,
                    port=endpoint.port,
                    weight=plan.weights[key],
                    share=rate / total if total else 0.0,
                    rate_per_s=rate,
                    errors_per_s=errors,
                    in_flight=counters.rq_active if counters else 0,
                    requests=counters.rq_total if counters else 0,
                    health=counters.health if counters else "unknown",
                    reason=plan.reasons[key],
                )
            )
        return ServiceSeen(
            endpoints,
            rate_per_s=total,
            p50_ms=observed.latency_ms.get("p50"),
            p99_ms=observed.latency_ms.get("p99"),
        )


def key_of(endpoint: Endpoint) -> str:
    """The endpoint's name in the engine's statistics."""
    return EndpointTarget(endpoint.host.name, endpoint.host.address, endpoint.port).key


def services_now() -> list[Service]:
    """All services with their endpoints and hosts, in one read."""
    return list(Service.objects.prefetch_related("endpoints__host"))


def _state(endpoint: Endpoint) -> str:
    """What the engine is told of an endpoint, beside its own checks.

    A host whose agent is lost keeps its traffic: the agent may have died alone, and the engine's own health
    checks see the server itself.
    """
    if endpoint.state == Endpoint.State.DRAINING or endpoint.host.state == Host.State.DRAINING:
        return "draining"
    return "healthy"


def _service_target(service: Service, plan: WeightPlan) -> ServiceTarget:
    for endpoint in service.endpoints.all():
        # An agent says its host's address; it may have become one that nobody may be led to.
        if what := why_protected(endpoint.host.address, endpoint.port):
            raise InvalidTarget("address", f"{endpoint.host.address}:{endpoint.port} is {what}")
    return ServiceTarget(
        name=service.name,
        protocol=service.protocol,
        listen_address=service.listen_address,
        listen_port=service.listen_port,
        endpoints=tuple(
            EndpointTarget(
                host=endpoint.host.name,
                address=endpoint.host.address,
                port=endpoint.port,
                weight=plan.weights[key_of(endpoint)],
                state=_state(endpoint),
            )
            for endpoint in service.endpoints.all()
        ),
        settings=settings_of(service.settings),
    )


def _rates(observed: _Observed, stats: ServiceStats, now: float) -> dict[str, tuple[float, float]]:
    """Requests and errors a second since the last read. A counter that fell means a restarted engine: start again."""
    elapsed = now - observed.at
    rates = {}
    for key, counters in stats.endpoints.items():
        before = observed.counters.get(key)
        if before is None or elapsed <= 0 or counters.rq_total < before.rq_total:
            rates[key] = (0.0, 0.0)
        else:
            rates[key] = (
                (counters.rq_total - before.rq_total) / elapsed,
                max(counters.rq_error - before.rq_error, 0) / elapsed,
            )
    return rates
