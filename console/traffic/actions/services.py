"""Services and their endpoints: made, changed, removed. The controller tells the engines."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from agents.wire import NAME_PATTERN
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.engines.target import MAX_PRIORITY
from console.engines.target.settings import document_of, settings_of
from console.fleet.models import Host
from console.live.bells import ring_services
from console.traffic.models import Endpoint, Service
from console.traffic.protected import why_protected
from console.traffic.references import checked_settings, leading_to, leads_elsewhere

MOST_ENDPOINTS = 10_000


class ServiceAction(Action[Service]):
    def committed(self, result: Service) -> None:
        ring_services()


@dataclass
class CreateService(ServiceAction):
    """One address for many servers; without an address, a pool that other services' routes lead to.

    endpoints: (host, port), or with a priority; host by its name or its address. settings: the document of its
    settings. tier: one of Service.Tier.
    """

    name: str
    protocol: str
    listen_address: str | None
    listen_port: int | None
    endpoints: list[tuple[str, int] | tuple[str, int, int]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    tier: str = Service.Tier.OTHER

    NAME = "service.create"

    def execute(self, actor: Actor) -> Service:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid(
                "name", "invalid", "a service's name is a DNS label: a-z, 0-9 and -, at most 63 characters"
            )
        if self.protocol not in Service.Protocol.values:
            raise Invalid("protocol", "unknown", f"one of {', '.join(Service.Protocol.values)}")
        check_tier(self.tier)
        if Service.objects.filter(name=self.name).exists():
            raise Conflict("name-taken", f"there is a service called {self.name}")
        address = None
        if self.listen_address is not None or self.listen_port is not None:
            address = check_address(self.listen_address or "", "listen_address")
            check_port(self.listen_port or 0, "listen_port")
        if len(self.endpoints) > MOST_ENDPOINTS:
            raise Invalid("endpoints", "length", f"at most {MOST_ENDPOINTS}")
        service = Service(
            name=self.name,
            protocol=self.protocol,
            listen_address=address,
            listen_port=self.listen_port,
            tier=self.tier,
        )
        settings = checked_settings(service, self.settings, "settings.")
        if not self.endpoints and not leads_elsewhere(settings):
            raise Invalid("endpoints", "length", "a service needs at least one endpoint, HOST:PORT")
        service.settings = document_of(settings)
        service.save()
        for number, (host, port, *priority) in enumerate(self.endpoints):
            _add(service, host, port, f"endpoints.{number}", *priority)
        after = {
            "listen": _listening(service),
            "endpoints": [f"{host}:{port}" for host, port, *_ in self.endpoints],
        }
        if service.tier != Service.Tier.OTHER:
            after["tier"] = service.tier
        if service.settings:
            after["settings"] = service.settings
        self.record(actor, "service", service.name, after=after)
        return service


@dataclass
class SetTier(ServiceAction):
    """Say what a service's servers are: web, application, cache, database or other. Its traffic stays as it is."""

    service: str
    tier: str
    reason: str = ""

    NAME = "service.set-tier"

    def execute(self, actor: Actor) -> Service:
        check_tier(self.tier)
        service = find_service(self.service)
        before, service.tier = service.tier, self.tier
        if before != service.tier:
            service.save(update_fields=["tier"])
            what = {"before": {"tier": before}, "after": {"tier": service.tier}}
            self.record(actor, "service", service.name, **what, reason=self.reason)
        return service


@dataclass
class AddEndpoint(ServiceAction):
    """One more server behind the address. It is ramped up, not flooded. priority: 0 is used first."""

    service: str
    host: str
    port: int
    priority: int = 0

    NAME = "service.add-endpoint"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        endpoint = _add(service, self.host, self.port, "endpoint", self.priority)
        after = {"endpoint": f"{endpoint.host.name}:{self.port}", "priority": self.priority}
        self.record(actor, "service", service.name, after=after)
        return service


@dataclass
class RemoveEndpoint(ServiceAction):
    """Take a server from behind the address at once (drain it first to let requests end)."""

    service: str
    host: str
    port: int
    reason: str = ""

    NAME = "service.remove-endpoint"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        found = find_endpoint(service, self.host, self.port)
        if service.endpoints.count() == 1 and not leads_elsewhere(settings_of(service.settings)):
            raise Conflict(
                "last-endpoint", f"{service.name} would have no endpoint left; remove the service instead"
            )
        found.delete()
        self.record(
            actor,
            "service",
            service.name,
            before={"endpoint": f"{found.host.name}:{self.port}"},
            reason=self.reason,
        )
        return service


@dataclass
class RemoveService(ServiceAction):
    """Close the address. What is under way there is cut off."""

    service: str
    reason: str = ""

    NAME = "service.remove"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        users = leading_to(service.name)
        if users:
            raise Conflict("in-use", f"{', '.join(users)} would lead to nobody; change their routes first")
        before = {"listen": _listening(service), "settings": service.settings}
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


def check_tier(tier: str) -> None:
    if tier not in Service.Tier.values:
        raise Invalid("tier", "unknown", f"one of {', '.join(Service.Tier.values)}")


def check_address(text: str, field_name: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Invalid(field_name, "invalid", f"{text!r} is not an IP address") from None


def check_port(port: int, field_name: str) -> None:
    if not 1 <= port <= 65535:
        raise Invalid(field_name, "out-of-range", "a port is 1 to 65535")


def _add(service: Service, host: str, port: int, field_name: str, priority: int = 0) -> Endpoint:
    found = Host.objects.filter(name=host).first() or Host.objects.filter(address=_as_address(host)).first()
    if found is None:
        raise Invalid(
            field_name,
            "unknown-host",
            f"no host is called {host} or has that address; its agent must join first",
        )
    check_port(port, field_name)
    if not 0 <= priority <= MAX_PRIORITY:
        raise Invalid("priority", "out-of-range", f"a priority is 0 to {MAX_PRIORITY}")
    if (service.listen_address, service.listen_port) == (found.address, port):
        raise Invalid(field_name, "loop", f"{found.address}:{port} is the service's own address")
    if found.address and (what := why_protected(found.address, port)):
        raise Invalid(
            field_name, "protected", f"{found.address}:{port} is {what}, which no service may lead to"
        )
    if service.endpoints.filter(host__address=found.address, port=port).exists():
        raise Conflict("endpoint-taken", f"{service.name} has the endpoint {found.name}:{port} already")
    since = timezone.now() if found.state == Host.State.DRAINING else None
    return Endpoint.objects.create(
        service=service, host=found, port=port, priority=priority, draining_since=since
    )


def _listening(service: Service) -> str | None:
    """ADDR:PORT; None of a pool."""
    return f"{service.listen_address}:{service.listen_port}" if service.listen_address else None


def _as_address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
