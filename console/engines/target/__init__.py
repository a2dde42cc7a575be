"""What traffic should look like, in no product's language: services, their listeners, their endpoints.

Rules:
1. A target that exists is valid: every value is checked where it enters, so that a renderer
   needs no checks and a product never rejects what we could have refused with a better reason.
2. Targets are values. Same target, same rendered bytes, nothing sent.
3. Weight 0 does not exist: an endpoint that shall get nothing is draining.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from typing import Literal, get_args

from console.engines.target.checks import (
    ZONE_PATTERN,
    InvalidTarget,
    canonical_address,
    check_choice,
    check_integer,
    check_name,
    check_unique,
    join_address,
)
from console.engines.target.secrets import ApiKey, Certificate
from console.engines.target.settings import USUAL, Settings
from console.engines.target.suits import check_suits

Protocol = Literal["http", "tcp", "udp"]
EndpointState = Literal["healthy", "draining", "closed", "unhealthy"]

#: MAX_WEIGHT x MAX_ENDPOINTS stays below 2**32, above which Envoy rejects the sum of a locality's weights.
MAX_WEIGHT = 100_000
MAX_ENDPOINTS = 10_000
MAX_PRIORITY = 15
MAX_PICKERS = 10_000
#: Of the kernel's periods for quotas of cpu.
LONGEST_PERIOD_S = 1.0
#: A target larger than this is a mistake upstream; products degrade badly on one (FAULTS: oversized config).
MAX_SERVICES = 10_000


@dataclass(frozen=True, slots=True)
class Window:
    """How the kernel limits an endpoint's host: cores x period_s of cpu in each period, then standstill.

    requests: of the service, that one period serves. All above 0, a period at most LONGEST_PERIOD_S.
    """

    period_s: float
    cores: float
    requests: float

    def __post_init__(self) -> None:
        for name, most in (("period_s", LONGEST_PERIOD_S), ("cores", math.inf), ("requests", math.inf)):
            if not (0.0 < getattr(self, name) <= most and math.isfinite(getattr(self, name))):
                raise InvalidTarget(f"window.{name}", f"{getattr(self, name)!r} is not above 0, or too much")


@dataclass(frozen=True, slots=True)
class EndpointTarget:
    """One address of a service on a host.

    host: the host's name. address: IP address, kept in canonical form. port: 1..65535.
    weight: share relative to the service's other endpoints, 1..MAX_WEIGHT.
    state: healthy takes traffic (if the product's own checks agree), draining finishes what it
    has, closed had its time for that and loses what is left, unhealthy gets nothing.
    priority: 0..MAX_PRIORITY, 0 is used first. zone: "" where unknown. window: None where cpu is not limited in
    periods, or it is not known what that comes to.
    """

    host: str
    address: str
    port: int
    weight: int = 1
    state: EndpointState = "healthy"
    priority: int = 0
    zone: str = ""
    window: Window | None = None

    def __post_init__(self) -> None:
        check_name("host", self.host)
        object.__setattr__(self, "address", canonical_address("address", self.address))
        if ipaddress.ip_address(self.address).is_unspecified:
            raise InvalidTarget("address", f"{self.address} says no host; give the endpoint's own address")
        check_integer("port", self.port, 65_535)
        check_integer("weight", self.weight, MAX_WEIGHT)
        check_choice("state", self.state, get_args(EndpointState))
        check_integer("priority", self.priority, MAX_PRIORITY, least=0)
        if not isinstance(self.zone, str) or not ZONE_PATTERN.fullmatch(self.zone):
            raise InvalidTarget("zone", f"{self.zone!r} is not a name (letters, digits, '.', '_', '-')")

    @property
    def key(self) -> str:
        """The endpoint in statistics and weights: address:port, IPv6 in brackets."""
        return join_address(self.address, self.port)


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """One service: where it listens, the endpoints behind, and how it treats traffic.

    No endpoints is valid: it answers "none". No address and port: a pool that other services lead to. pickers: how
    many nodes choose between the endpoints, each without knowing of the others' choices.
    """

    name: str
    protocol: Protocol
    listen_address: str | None
    listen_port: int | None
    endpoints: tuple[EndpointTarget, ...] = ()
    settings: Settings = USUAL
    pickers: int = 1

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_integer("pickers", self.pickers, MAX_PICKERS)
        check_choice("protocol", self.protocol, get_args(Protocol))
        if (self.listen_address is None) != (self.listen_port is None):
            raise InvalidTarget("listen_port", "address and port are there together, or neither is")
        if self.listen_address is not None and self.listen_port is not None:
            address = canonical_address("listen_address", self.listen_address)
            object.__setattr__(self, "listen_address", address)
            check_integer("listen_port", self.listen_port, 65_535)
        object.__setattr__(self, "endpoints", tuple(self.endpoints))
        check_suits(self.protocol, self.listen_port, self.settings)
        if len(self.endpoints) > MAX_ENDPOINTS:
            raise InvalidTarget("endpoints", f"{len(self.endpoints)} are more than {MAX_ENDPOINTS}")
        check_unique("endpoints", (endpoint.key for endpoint in self.endpoints))
        try:
            self.settings.pool.check_protocol(self.protocol)
        except InvalidTarget as error:
            raise InvalidTarget(f"settings.pool.{error.field}", error.reason) from None

    @property
    def listen_keys(self) -> tuple[str, ...]:
        """What only one service may hold, each as transport, address and port; none for a pool."""
        if self.listen_address is None or self.listen_port is None:
            return ()
        front = self.settings.front
        held = [("udp" if self.protocol == "udp" else "tcp", self.listen_port)]
        if self.protocol == "http" and "3" in front.http_versions:
            held.append(("udp", self.listen_port))
        if front.tls is not None and front.tls.redirect_from_port is not None:
            held.append(("tcp", front.tls.redirect_from_port))
        return tuple(f"{transport} {join_address(self.listen_address, port)}" for transport, port in held)


@dataclass(frozen=True, slots=True)
class TrafficTarget:
    """Everything the products shall do. epoch: the leader's fencing epoch; it only grows.

    certificates, api_keys: those that settings name. One that is named and not there opens nothing: TLS waits for
    its certificate, and no key is the missing one.
    """

    services: tuple[ServiceTarget, ...] = ()
    epoch: int = 0
    certificates: tuple[Certificate, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "services", tuple(self.services))
        if type(self.epoch) is not int or self.epoch < 0:
            raise InvalidTarget("epoch", f"{self.epoch!r} is not a whole number from 0")
        if len(self.services) > MAX_SERVICES:
            raise InvalidTarget("services", f"{len(self.services)} are more than {MAX_SERVICES}")
        check_unique("services", (service.name for service in self.services))
        check_unique("services", (key for service in self.services for key in service.listen_keys))
        for field in ("certificates", "api_keys"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
            check_unique(field, (each.name for each in getattr(self, field)))
