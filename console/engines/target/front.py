"""Connections that come in: TLS, protocols, limits.

A listener belongs to one service. Others share it in one of two ways: an HTTP service's routes lead to them
(http.routes), or a TCP service hands them connections by the name that TLS says first (front.sni); those stay
encrypted and end at the other service's endpoints.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from console.engines.target.checks import InvalidTarget, check_integer, check_unique
from console.engines.target.words import check_between, check_hosts, check_label, check_labels, check_seconds

HttpVersion = Literal["1.1", "2", "3"]
TlsVersion = Literal["1.2", "1.3"]

MOST_CERTIFICATES: Final = 100
MOST_NAMES: Final = 1000
DAY_S: Final = 86_400.0


class Clients(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Clients that show a certificate. ca: the name of the certificate whose CA signs theirs.

    required: False lets those in who show none; a wrong one is refused either way. names: what one of a client's
    names (DNS or URI) must be; empty: any.
    """

    ca: str
    required: bool = True
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_label("ca", self.ca)
        if len(self.names) > MOST_NAMES or any(
            not 0 < len(name) <= 255 or not name.isascii() for name in self.names
        ):
            raise InvalidTarget("names", f"at most {MOST_NAMES} names of 1 to 255 ASCII characters")
        check_unique("names", self.names)


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """TLS ends here. certificates: by name; the client's SNI chooses, the first serves who names nobody.

    least_version: what older clients are refused for. clients: None asks no client for a certificate.
    alpn: of a TCP service; an HTTP service offers its http_versions. redirect_from_port: a port of the same address
    where plain HTTP is told to come back over TLS.
    """

    certificates: tuple[str, ...]
    least_version: TlsVersion = "1.2"
    clients: Clients | None = None
    alpn: tuple[str, ...] = ()
    redirect_from_port: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.certificates) <= MOST_CERTIFICATES:
            raise InvalidTarget("certificates", f"1 to {MOST_CERTIFICATES} names of certificates")
        check_labels("certificates", self.certificates)
        if len(self.alpn) > 16 or any(
            not 0 < len(name) <= 32 or not name.isascii() or not name.isprintable() or "," in name
            for name in self.alpn
        ):
            raise InvalidTarget("alpn", "at most 16 names of 1 to 32 printable ASCII characters, without ','")
        check_unique("alpn", self.alpn)
        if self.redirect_from_port is not None:
            check_integer("redirect_from_port", self.redirect_from_port, 65_535)


class Passthrough(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Connections whose TLS names one of hosts go, still encrypted, to the endpoints of service."""

    hosts: tuple[str, ...]
    service: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.hosts) <= MOST_NAMES:
            raise InvalidTarget("hosts", f"1 to {MOST_NAMES} host names")
        check_hosts("hosts", self.hosts)
        check_label("service", self.service)


class Front(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Connections that come in: TLS, protocols, limits.

    http_versions: 3 is QUIC on the UDP port of the same number, and needs TLS. proxy_protocol: whether connections
    begin with the PROXY line of a balancer before this one; from anybody else it would be a lie, so off is usual.
    max_connections: at the same time; connections_per_s: new ones (the rest are closed at once); with sni, for each
    of its destinations. idle_timeout_s: how long a connection may be silent, 0 for ever (usual: 300 with HTTP, 3600
    with TCP). max_header_kib: of a request. headers_timeout_s: until they are whole.
    """

    tls: Tls | None = None
    sni: tuple[Passthrough, ...] = ()
    http_versions: tuple[HttpVersion, ...] = ("1.1", "2")
    proxy_protocol: Literal["off", "accepted", "required"] = "off"
    max_connections: int | None = None
    connections_per_s: int | None = None
    idle_timeout_s: float | None = None
    max_header_kib: int = 60
    headers_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        check_unique("http_versions", self.http_versions)
        if not self.http_versions:
            raise InvalidTarget("http_versions", "at least one")
        if "3" in self.http_versions and self.tls is None:
            raise InvalidTarget("http_versions", "HTTP/3 needs tls")
        if self.http_versions == ("3",):
            raise InvalidTarget(
                "http_versions", "HTTP/3 alone is found by no client; offer 1.1 or 2 beside it"
            )
        if "3" in self.http_versions:
            for field in ("max_connections", "connections_per_s"):
                if getattr(self, field) is not None:
                    raise InvalidTarget(field, "would not count HTTP/3")
            if self.proxy_protocol != "off":
                raise InvalidTarget("proxy_protocol", "is not there for HTTP/3")
            if self.tls is not None and self.tls.clients is not None:
                raise InvalidTarget("tls.clients", "is not there for HTTP/3")
        if self.tls is not None and self.sni:
            raise InvalidTarget("sni", "a listener ends TLS or hands it on, not both")
        check_unique("sni", (host for each in self.sni for host in each.hosts))
        check_between("max_connections", self.max_connections, 1, 10_000_000)
        check_between("connections_per_s", self.connections_per_s, 1, 1_000_000)
        check_seconds("idle_timeout_s", self.idle_timeout_s, DAY_S)
        check_between("max_header_kib", self.max_header_kib, 1, 8192)
        check_seconds("headers_timeout_s", self.headers_timeout_s, DAY_S, least=0.1)
