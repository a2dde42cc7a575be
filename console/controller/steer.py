"""Traffic's control loop: what the engine and the agents see goes in, weights go out.

Once a second, and whenever a service changed: the engine's figures, the live picture's capacities and pressures and
the core's steering law give weights, and the engine is told what changed. What was seen and why each weight is what
it is goes to the console.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.utils import timezone

from balancer_core.errors import InvalidInput
from balancer_core.steering import EndpointView, Steering, WeightPlan
from console.controller.refusals import refusals
from console.controller.sight import MOST_REQUESTS, Sight, engines_seen, request_shown, service_seen
from console.controller.targets import key_of, service_target, windows_of
from console.engines import Engine
from console.engines.envoy.stats import ServiceStats
from console.engines.guard import GuardRefused, Shrinkage
from console.engines.target import InvalidTarget, ServiceTarget, TrafficTarget
from console.live.picture import SILENT_AFTER_S, Picture
from console.traffic.draining import is_draining
from console.traffic.models import WHOLE_PERCENT, Service
from console.traffic.secrets import Secrets
from console.traffic.view import HeldBack, Refused, RequestShown, TrafficSeen

log = logging.getLogger(__name__)

_NOTHING = ServiceStats()
_NO_SECRETS = Secrets()


@dataclass(frozen=True, slots=True)
class _HostPressure:
    """utilisation: of the worst of its resources that get worse like a queue. bottleneck: that one's name."""

    cores: float = 0.0
    utilisation: float = 0.0
    bottleneck: str = ""


_UNKNOWN_HOST = _HostPressure()


class Steerer:
    """One leader's control of one engine. The picture and clock are the caller's."""

    def __init__(self, picture: Picture, engine: Engine, epoch: int) -> None:
        self._picture, self._engine, self._epoch = picture, engine, epoch
        self._laws: dict[str, Steering] = {}
        self._targets: dict[str, ServiceTarget] = {}
        self._requests: dict[str, deque[RequestShown]] = {}
        self._held: tuple[Shrinkage, ...] = ()
        self._guard = ""

    async def step(
        self,
        services: list[Service],
        now: float,
        meant: Collection[str] = (),
        secrets: Secrets = _NO_SECRETS,
        today: datetime | None = None,
    ) -> TrafficSeen:
        """Read, decide, tell; returns what to show.

        now: monotonic seconds. meant: services that may lose more than the guard lets pass. today: the wall clock, by
        which drains end.
        """
        today = today or timezone.now()
        figures = await self._engine.observe()
        self._forget({service.name for service in services})
        pressures = self._pressures()
        plans: dict[str, WeightPlan] = {}
        wrong = list(secrets.wrong)
        for service in services:
            try:
                plan = self._plan(service, figures.get(service.name, _NOTHING), pressures, now)
                windows = windows_of(service, plan, self._picture.quota)
                self._targets[service.name] = service_target(service, plan.weights, today, windows)
            except (InvalidTarget, InvalidInput) as error:
                # An agent gave its host an address that another endpoint has: this service stays as it
                # was, if it was, and the others go on.
                wrong.append(f"{service.name} is left as it was: {error}")
            else:
                plans[service.name] = plan
        self._publish(secrets, wrong, meant)
        self._take_requests(services)
        by_node = self._engine.seen_by()
        states = self._engine.state
        refused = refusals(states, self._targets.values())
        return TrafficSeen(
            epoch=self._epoch,
            services={
                each.name: service_seen(self._sight(each, figures, by_node, refused), plans[each.name])
                for each in services
                if each.name in plans
            },
            engines=engines_seen(states),
            guard=self._guard,
            held=[HeldBack(each.service, each.before, each.after) for each in self._held],
        )

    def _publish(self, secrets: Secrets, wrong: list[str], meant: Collection[str]) -> None:
        """Give the engine the targets, but for services that the guard holds: these stay as they were published."""
        targets = dict(self._targets)
        self._held = ()
        try:
            self._engine.apply(self._target(targets, secrets), meant=meant)
        except GuardRefused as refusal:
            self._held = refusal.shrinkages
            wrong = [*wrong, str(refusal)]
            before = self._engine.target
            published = {each.name: each for each in before.services} if before else {}
            targets.update({each.service: published[each.service] for each in refusal.shrinkages})
            # What else changed is not to wait for it; what was published before passes the guard.
            self._engine.apply(self._target(targets, secrets), meant=meant)
        except InvalidTarget as error:
            # Each service is well by itself, and two of them want the same; what is published stays.
            wrong = [*wrong, f"nothing was changed: {error}"]
        said = "; ".join(wrong)
        if said and said != self._guard:
            log.warning("not published: %s", said)
        self._guard = said

    def _target(self, targets: Mapping[str, ServiceTarget], secrets: Secrets) -> TrafficTarget:
        return TrafficTarget(
            services=tuple(targets.values()),
            epoch=self._epoch,
            certificates=secrets.certificates,
            api_keys=secrets.api_keys,
        )

    def _forget(self, names: Collection[str]) -> None:
        kept: tuple[dict[str, Steering] | dict[str, ServiceTarget] | dict[str, deque[RequestShown]], ...]
        kept = (self._laws, self._targets, self._requests)
        for known in kept:
            for name in known.keys() - set(names):
                del known[name]

    def _pressures(self) -> dict[str, _HostPressure]:
        """By the host's name."""
        snapshot, _ = self._picture.view()
        used, _ = self._picture.utilisation(snapshot)
        rates = [place for place, each in enumerate(snapshot.dimensions.resources) if each.kind == "rate"]
        if not len(used):
            return {}
        shares = np.nan_to_num(used[:, rates], nan=0.0)
        worst = shares.argmax(axis=1)
        names = [snapshot.dimensions.names[place] for place in rates]
        return {
            name: _HostPressure(
                self._picture.capacity(name).get("cpu", 0.0),
                float(shares[row, worst[row]]),
                names[worst[row]],
            )
            for row, name in enumerate(snapshot.names)
        }

    def _plan(
        self, service: Service, figures: ServiceStats, pressures: Mapping[str, _HostPressure], now: float
    ) -> WeightPlan:
        views = []
        for endpoint in service.endpoints.all():
            key = key_of(endpoint)
            host = pressures.get(endpoint.host.name, _UNKNOWN_HOST)
            seen = figures.endpoints.get(key)
            age = self._picture.age_s(endpoint.host.name)
            views.append(
                EndpointView(
                    key=key,
                    capacity_cores=host.cores or 1.0,
                    utilisation=host.utilisation,
                    bottleneck=host.bottleneck,
                    rate_per_s=seen.rate_per_s if seen else 0.0,
                    errors_per_s=seen.errors_per_s if seen else 0.0,
                    in_flight=seen.rq_active if seen else 0,
                    report_age_s=SILENT_AFTER_S * 100 if age is None else age,
                    healthy=not is_draining(endpoint) and (seen is None or seen.health == "healthy"),
                )
            )
        law = self._laws.get(service.name)
        if law is None:
            # A new leader goes on from the weights that are in force, without what operators took of them.
            percents = {key_of(each): each.weight_percent for each in service.endpoints.all()}
            in_force = {
                key: round(each.weight * WHOLE_PERCENT / (percents.get(key) or WHOLE_PERCENT))
                for key, each in figures.endpoints.items()
            }
            law = self._laws[service.name] = Steering(resume=in_force)
        return law.step(views, now)

    def _sight(
        self,
        service: Service,
        figures: Mapping[str, ServiceStats],
        by_node: Mapping[str, Mapping[str, ServiceStats]],
        refused: Mapping[str, list[Refused]],
    ) -> Sight:
        return Sight(
            service=service,
            together=figures.get(service.name, _NOTHING),
            by_node={node: seen[service.name] for node, seen in by_node.items() if service.name in seen},
            requests=list(self._requests.get(service.name, ())),
            refused=refused.get(service.name, []),
            ages={key_of(each): self._picture.age_s(each.host.name) for each in service.endpoints.all()},
            windows={
                each.key: each.window
                for each in self._targets[service.name].endpoints
                if each.window is not None
            },
        )

    def _take_requests(self, services: list[Service]) -> None:
        """Put the requests that nodes logged to their services, with endpoints by their hosts' names."""
        taken = self._engine.take_requests()
        if not taken:
            return
        names: dict[str, Callable[[str], str]] = {}
        for service in services:
            by_key = {key_of(each): f"{each.host.name}:{each.port}" for each in service.endpoints.all()}
            names[service.name] = lambda key, by_key=by_key: by_key.get(key, key)
        for node, request in taken:
            if request.service in names:
                kept = self._requests.setdefault(request.service, deque(maxlen=MOST_REQUESTS))
                kept.appendleft(request_shown(node, request, names[request.service]))
