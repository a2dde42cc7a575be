"""Services and their endpoints: made, changed, removed. The controller tells the engines."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from agents.wire import NAME_PATTERN
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.fleet.models import Host
from console.live.bells import ring_services
from console.traffic.models import Endpoint, Service

MOST_ENDPOINTS = 10_000


class _ServiceAction(Action[Service]):
    def committed(self, result: Service) -> None:
        ring_services()


@dataclass
class CreateService(_ServiceAction):
    """One address for many servers. endpoints: (host, port), host by its name or its address."""

    name: str
    protocol: str
    listen_address: str
    listen_port: int
    endpoints: list[tuple[str, int]] = field(default_factory=list)

    NAME = "service.create"

    def execute(self, actor: Actor) -> Service:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid("name", "invalid", "a service's name is a DNS label: a-z, 0-9 and -, at most 63 characters")
        if self.protocol not in Service.Protocol.values:
            raise Invalid("protocol", "unknown", f"one of {', '.join(Service.Protocol.values)}")
        if Service.objects.filter(name=self.name).exists():
            raise Conflict("name-taken", f"there is a service called {self.name}")
        address = check_address(self.listen_address, "listen_address")
        check_port(self.listen_port, "listen_port")
        _check_free(address, self.listen_port, self.protocol)
        if not 1 <= len(self.endpoints) <= MOST_ENDPOINTS:
            raise Invalid("endpoints", "length", "a service needs at least one endpoint, HOST:PORT")
        service = Service.objects.create(
            name=self.name, protocol=self.protocol, listen_address=address, listen_port=self.listen_port
        )
        for number, (host, port) in enumerate(self.endpoints):
            _add(service, host, port, f"endpoints.{number}")
        after = {"listen": f"{address}:{self.listen_port}", "endpoints": [f"{h}:{p}" for h, p in self.endpoints]}
        self.record(actor, "service", service.name, after=after)
        return service


@dataclass
class AddEndpoint(_ServiceAction):
    """One more server behind the address. It is ramped up, not flooded."""

    service: str
    host: str
    port: int

    NAME = "service.add-endpoint"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        endpoint = _add(service, self.host, self.port, "host")
        self.record(actor, "service", service.name, after={"endpoint": f"{endpoint.host.name}:{self.port}"})
        return service


@dataclass
class RemoveEndpoint(_ServiceAction):
    """Take a server from behind the address at once (drain it first to let requests end)."""

    service: str
    host: str
    port: int
    reason: str = ""

    NAME = "service.remove-endpoint"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        found = find_endpoint(service, self.host, self.port)
        if service.endpoints.count() == 1:
            raise Conflict("last-endpoint", f"{service.name} would have no endpoint left; remove the service instead")
        found.delete()
        self.record(
            actor, "service", service.name, before={"endpoint": f"{found.host.name}:{self.port}"}, reason=self.reason
        )
        return service


@dataclass
class DrainEndpoint(_ServiceAction):
    """No new requests for this endpoint (drain=True), or again some (drain=False)."""

    service: str
    host: str
    port: int
    drain: bool = True
    reason: str = ""

    NAME = "service.drain-endpoint"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        found = find_endpoint(service, self.host, self.port)
        found.state = Endpoint.State.DRAINING if self.drain else Endpoint.State.ACTIVE
        found.save(update_fields=["state"])
        after = {"endpoint": f"{found.host.name}:{self.port}", "state": found.state}
        self.record(actor, "service", service.name, after=after, reason=self.reason)
        return service


@dataclass
class RemoveService(_ServiceAction):
    """Close the address. What is under way there is cut off."""

    service: str
    reason: str = ""

    NAME = "service.remove"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        before = {"listen": f"{service.listen_address}:{service.listen_port}"}
        service.delete()
        self.record(actor, "service", self.service, before=before, reason=self.reason)
        return service


def find_service(name: str) -> Service:
    service = Service.objects.select_for_update().filter(name=name).first()
    if service is None:
        raise Unknown("service", name)
    return service


def find_endpoint(service: Service, host: str, port: int) -> Endpoint:
    """host: its name or its address, as when the endpoint was added."""
    of_port = service.endpoints.select_related("host").filter(port=port)
    found = of_port.filter(host__name=host).first() or of_port.filter(host__address=_as_address(host)).first()
    if found is None:
        raise Unknown("endpoint", f"{host}:{port}")
    return found


def check_address(text: str, field_name: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Invalid(field_name, "invalid", f"{text!r} is not an IP address") from None


def check_port(port: int, field_name: str) -> None:
    if not 1 <= port <= 65535:
        raise Invalid(field_name, "out-of-range", "a port is 1 to 65535")


def _check_free(address: str, port: int, protocol: str) -> None:
    """Two listeners on one address and port would fail in the engine; say it here."""
    for other in Service.objects.filter(listen_port=port):
        same_transport = (other.protocol == "udp") == (protocol == "udp")
        overlaps = other.listen_address == address or not {"0.0.0.0", "::"}.isdisjoint(  # noqa: S104
            (other.listen_address, address)
        )
        if same_transport and overlaps:
            raise Conflict("listener-taken", f"{other.name} listens on {other.listen_address}:{port} already")


def _add(service: Service, host: str, port: int, field_name: str) -> Endpoint:
    found = Host.objects.filter(name=host).first() or Host.objects.filter(address=_as_address(host)).first()
    if found is None:
        raise Invalid(field_name, "unknown-host", f"no host is called {host} or has that address; its agent must join first")
    check_port(port, field_name)
    if service.endpoints.filter(host__address=found.address, port=port).exists():
        raise Conflict("endpoint-taken", f"{service.name} has the endpoint {found.name}:{port} already")
    return Endpoint.objects.create(service=service, host=found, port=port)


def _as_address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
