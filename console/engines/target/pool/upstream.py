"""What is spoken with endpoints: the version of HTTP, TLS, and the line that tells them who the client is."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, get_args

import msgspec

from console.engines.target.checks import InvalidTarget, check_choice, check_name
from console.engines.target.pool.values import HOST_PATTERN, check_bool, check_text

UpstreamProtocol = Literal["http1", "http2", "same", "auto"]
ProxyLine = Literal["", "v1", "v2"]

_NAME_PATTERN = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_URI_PATTERN = re.compile(r"[a-z][a-z0-9+.-]{0,31}://[!-~]{1,220}")
#: The authorities that the engine's machine trusts.
SYSTEM = "system"
MOST_NAMES = 64


class UpstreamTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """TLS to the endpoints.

    authority: the certificate (by its name in the console) that signs theirs, or system. server_name: which name
    is asked for (SNI). names: which of its names a certificate must carry: DNS names, addresses or URIs; none is
    server_name. verify: off takes any certificate, and whoever sits in between reads and changes everything.
    certificate: the one that we show, by its name in the console; "" is none.
    """

    authority: str = SYSTEM
    server_name: str = ""
    names: tuple[str, ...] = ()
    verify: bool = True
    certificate: str = ""

    def __post_init__(self) -> None:
        check_name("authority", self.authority)
        if self.server_name:
            check_text("server_name", self.server_name, HOST_PATTERN, "a name in the DNS")
            if _is_address(self.server_name) or ":" in self.server_name or "[" in self.server_name:
                raise InvalidTarget("server_name", "SNI has names, not addresses or ports; see names")
        if len(self.names) > MOST_NAMES:
            raise InvalidTarget("names", f"{len(self.names)} are more than {MOST_NAMES}")
        for name in self.names:
            if not isinstance(name, str) or not (
                _is_address(name) or _NAME_PATTERN.fullmatch(name) or _URI_PATTERN.fullmatch(name)
            ):
                raise InvalidTarget("names", f"{name!r} is neither a DNS name, an address nor a URI"[:300])
        check_bool("verify", self.verify)
        if self.certificate:
            check_name("certificate", self.certificate)
        if self.verify and not self.accepted_names:
            # An authority signs for many; without a name, any of them could stand in an endpoint's place.
            raise InvalidTarget(
                "server_name", "say a name that the endpoints' certificates carry (here or in names)"
            )

    @property
    def accepted_names(self) -> tuple[str, ...]:
        """The names of which a certificate must carry one."""
        return self.names or ((self.server_name,) if self.server_name else ())


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """protocol, of http services: http1; http2 without asking (gRPC needs it); same as the client speaks; auto, what
    the endpoint prefers when TLS asks it. tls: none is clear text. proxy_line: a first line or block that names the
    client's address (PROXY protocol), for endpoints that expect one.
    """

    protocol: UpstreamProtocol = "http1"
    tls: UpstreamTls | None = None
    proxy_line: ProxyLine = ""

    def __post_init__(self) -> None:
        check_choice("protocol", self.protocol, get_args(UpstreamProtocol))
        check_choice("proxy_line", self.proxy_line, get_args(ProxyLine))
        if self.protocol == "auto" and self.tls is None:
            raise InvalidTarget("protocol", "auto is agreed on in TLS, and there is no tls; http2 needs none")


def kind_of_name(name: str) -> Literal["address", "uri", "dns"]:
    """What a name in a certificate is."""
    if _is_address(name):
        return "address"
    return "uri" if "://" in name else "dns"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
