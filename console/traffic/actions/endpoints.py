"""What an endpoint is wanted for: requests, no new ones, or nothing any more. For one, and for many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils import timezone

from console.actions import Actor
from console.fleet.models import Host
from console.multi import Foreseen, MultiAction
from console.traffic.actions.services import ServiceAction, find_endpoint, find_service
from console.traffic.models import Endpoint, Service


@dataclass
class _WantEndpoint(ServiceAction, MultiAction[Service]):
    """Among many an endpoint is called SERVICE/HOST:PORT. STATE: what it comes to."""

    service: str
    host: str
    port: int
    reason: str = ""

    LIST = "endpoints"
    STATE: ClassVar[str]
    UNDO = {
        Endpoint.State.ACTIVE: "service.resume-endpoint",
        Endpoint.State.DRAINING: "service.drain-endpoint",
        Endpoint.State.CLOSED: "service.close-endpoint",
    }

    @classmethod
    def of(cls, item: str, reason: str) -> Self:
        return cls(*_parts(item), reason=reason)

    @classmethod
    def item_of(cls, row: Any) -> str:
        return str(row.key)

    @classmethod
    def foresee(cls, items: Sequence[str]) -> list[Foreseen]:
        states = {endpoint.key: endpoint.state for endpoint in _named(items)}
        return [_foreseen(item, states.get(item), cls.STATE) for item in items]

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        found = find_endpoint(service, self.host, self.port)
        before, found.state = found.state, self.STATE
        if found.state != Endpoint.State.ACTIVE or found.host.state == Host.State.DRAINING:
            found.draining_since = found.draining_since or timezone.now()
        else:
            found.draining_since = None
        found.save(update_fields=["state", "draining_since"])
        what = {"before": {"state": before}, "after": {"endpoint": found.at, "state": found.state}}
        self.record(actor, "service", service.name, **what, reason=self.reason)
        return service


class _StopEndpoint(_WantEndpoint):
    @classmethod
    def warnings(cls, items: Sequence[str]) -> list[str]:
        """The services that would have no endpoint left that takes new requests."""
        services = {_parts(item)[0] for item in items}
        taking = defaultdict(set)
        rows = Endpoint.objects.filter(
            service__name__in=services, state=Endpoint.State.ACTIVE, weight_percent__gt=0
        )
        for endpoint in rows.exclude(host__state=Host.State.DRAINING).select_related("service", "host"):
            taking[endpoint.service.name].add(endpoint.key)
        return [
            f"No endpoint would take new requests for {name}: this stops its traffic."
            for name, keys in sorted(taking.items())
            if keys <= set(items)
        ]


class DrainEndpoint(_StopEndpoint):
    """No new requests for this endpoint. What is under way has the pool's drain_s to end, counted from the first of
    its own drain and its host's."""

    NAME = "service.drain-endpoint"
    LABEL = "Drain"
    STATE = Endpoint.State.DRAINING


class CloseEndpoint(_StopEndpoint):
    """Nothing for this endpoint any more, as for maintenance: at once what its drain would come to at its end.
    Who holds on to it goes elsewhere, tcp connections are closed. It stays in its service; resume brings it back."""

    NAME = "service.close-endpoint"
    LABEL = "Close"
    STATE = Endpoint.State.CLOSED


class ResumeEndpoint(_WantEndpoint):
    """New requests for this endpoint again. While its host drains, it waits for that to end."""

    NAME = "service.resume-endpoint"
    LABEL = "Resume"
    STATE = Endpoint.State.ACTIVE


def _parts(item: str) -> tuple[str, str, int]:
    """Of SERVICE/HOST:PORT. What is none of that names an endpoint that is not there."""
    service, _, rest = item.partition("/")
    host, _, port = rest.rpartition(":")
    return service, host, int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0


def _named(items: Sequence[str]) -> Any:
    """One query; some more than asked for may come with them."""
    services, hosts, ports = map(set, zip(*map(_parts, items), strict=True))
    return Endpoint.objects.filter(
        service__name__in=services, host__name__in=hosts, port__in=ports
    ).select_related("service", "host")


def _foreseen(item: str, state: str | None, wanted: str) -> Foreseen:
    if state is None:
        return Foreseen(item, why_not="there is no such endpoint; one is called SERVICE/HOST:PORT")
    if state == wanted:
        return Foreseen(item, state, why_not=f"it is {state} already")
    return Foreseen(item, state, wanted)
