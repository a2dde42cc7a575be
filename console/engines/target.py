"""What traffic should look like, in no product's language: services, their listeners, their endpoints.

Rules:
1. A target that exists is valid: every value is checked where it enters, so that a renderer
   needs no checks and a product never rejects what we could have refused with a better reason.
2. Targets are values. Same target, same rendered bytes, nothing sent.
3. Weight 0 does not exist: an endpoint that shall get nothing is draining.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Protocol = Literal["http", "tcp", "udp"]
EndpointState = Literal["healthy", "draining", "unhealthy"]

#: A DNS label, as for hosts in agents.wire (which the engines do not import).
NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

#: MAX_WEIGHT x MAX_ENDPOINTS stays below 2**32, above which Envoy rejects the sum of a locality's weights.
MAX_WEIGHT = 100_000
MAX_ENDPOINTS = 10_000
#: A target larger than this is a mistake upstream; products degrade badly on one (FAULTS: oversized config).
MAX_SERVICES = 10_000


class InvalidTarget(ValueError):
    """A value no product should see. field: which one; reason: one sentence for people."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EndpointTarget:
    """One address of a service on a host.

    host: the host's name. address: IP address, kept in canonical form. port: 1..65535.
    weight: share relative to the service's other endpoints, 1..MAX_WEIGHT.
    state: healthy takes traffic (if the product's own checks agree), draining finishes what it
    has, unhealthy gets nothing.
    """

    host: str
    address: str
    port: int
    weight: int = 1
    state: EndpointState = "healthy"

    def __post_init__(self) -> None:
        _check_name("host", self.host)
        object.__setattr__(self, "address", _canonical_address("address", self.address))
        if ipaddress.ip_address(self.address).is_unspecified:
            raise InvalidTarget("address", f"{self.address} says no host; give the endpoint's own address")
        _check_integer("port", self.port, 65_535)
        _check_integer("weight", self.weight, MAX_WEIGHT)
        _check_choice("state", self.state, get_args(EndpointState))

    @property
    def key(self) -> str:
        """The endpoint in statistics and weights: address:port, IPv6 in brackets."""
        return join_address(self.address, self.port)


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """One service: where it listens and the endpoints behind. No endpoints is valid: it answers "none"."""

    name: str
    protocol: Protocol
    listen_address: str
    listen_port: int
    endpoints: tuple[EndpointTarget, ...] = ()

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        _check_choice("protocol", self.protocol, get_args(Protocol))
        address = _canonical_address("listen_address", self.listen_address)
        object.__setattr__(self, "listen_address", address)
        _check_integer("listen_port", self.listen_port, 65_535)
        object.__setattr__(self, "endpoints", tuple(self.endpoints))
        if len(self.endpoints) > MAX_ENDPOINTS:
            raise InvalidTarget("endpoints", f"{len(self.endpoints)} are more than {MAX_ENDPOINTS}")
        _check_unique("endpoints", (endpoint.key for endpoint in self.endpoints))

    @property
    def listen_key(self) -> str:
        """What only one service may hold: transport, address and port."""
        transport = "udp" if self.protocol == "udp" else "tcp"
        return f"{transport} {join_address(self.listen_address, self.listen_port)}"


@dataclass(frozen=True, slots=True)
class TrafficTarget:
    """Everything the products shall do. epoch: the leader's fencing epoch; it only grows."""

    services: tuple[ServiceTarget, ...] = ()
    epoch: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "services", tuple(self.services))
        if type(self.epoch) is not int or self.epoch < 0:
            raise InvalidTarget("epoch", f"{self.epoch!r} is not a whole number from 0")
        if len(self.services) > MAX_SERVICES:
            raise InvalidTarget("services", f"{len(self.services)} are more than {MAX_SERVICES}")
        _check_unique("services", (service.name for service in self.services))
        _check_unique("services", (service.listen_key for service in self.services))


def join_address(address: str, port: int) -> str:
    """address and port as one text, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _check_name(field: str, value: str) -> None:
    if not isinstance(value, str) or not NAME_PATTERN.fullmatch(value):
        raise InvalidTarget(field, f"{value!r} is not a DNS label (a-z, 0-9, inner '-', at most 63)")


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidTarget(field, f"{value!r} is none of {', '.join(choices)}")


def _check_integer(field: str, value: int, most: int) -> None:
    # bool is an int to Python; a weight of True is a caller's mistake.
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidTarget(field, f"{value!r} is not a whole number from 1 to {most}")


def _check_unique(field: str, keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise InvalidTarget(field, f"{key} is there twice")
        seen.add(key)


def _canonical_address(field: str, value: str) -> str:
    """The address as products print it back, so that keys agree; refuses what is no unicast address."""
    try:
        # str only: ip_address() would take 1 for 0.0.0.1.
        address = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None:
        raise InvalidTarget(field, f"{value!r} is not an IP address")
    if address.is_multicast:
        raise InvalidTarget(field, f"{value} is a multicast address")
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise InvalidTarget(field, f"{value}: write it without a zone, and IPv4 as IPv4")
    return str(address)
