"""Which settings go with which protocol: what would be read by nobody is refused, not ignored."""

from __future__ import annotations

from console.engines.target.checks import InvalidTarget
from console.engines.target.front import Front
from console.engines.target.http import Http
from console.engines.target.settings import Settings


def check_suits(protocol: str, listen_port: int | None, settings: Settings) -> None:
    """Raise InvalidTarget, with the path from the document's root, for what this service can't have."""
    front = settings.front
    if protocol != "http":
        if settings.http != Http():
            raise InvalidTarget("settings.http", f"a {protocol} service has no requests")
        if front.http_versions != Front().http_versions:
            raise InvalidTarget("settings.front.http_versions", f"a {protocol} service has none")
        for field in ("max_header_kib", "headers_timeout_s"):
            if getattr(front, field) != getattr(Front(), field):
                raise InvalidTarget(f"settings.front.{field}", f"a {protocol} service has no headers")
        if front.tls is not None and front.tls.redirect_from_port is not None:
            raise InvalidTarget("settings.front.tls.redirect_from_port", "is there for HTTP")
    elif front.tls is not None and front.tls.alpn:
        raise InvalidTarget("settings.front.tls.alpn", "follows from http_versions")
    if front.sni and protocol != "tcp":
        raise InvalidTarget("settings.front.sni", "hands on TCP connections; an HTTP service has http.routes")
    if protocol == "udp" and front != Front():
        raise InvalidTarget("settings.front", "a udp service has no connections")
    if listen_port is None:
        for field in ("routes", "destinations"):
            if getattr(settings.http, field):
                raise InvalidTarget(
                    f"settings.http.{field}", "the service listens nowhere; who leads to it chose it already"
                )
    if listen_port is None and front != Front():
        raise InvalidTarget("settings.front", "the service listens nowhere")
    if front.tls is not None and front.tls.redirect_from_port == listen_port is not None:
        raise InvalidTarget("settings.front.tls.redirect_from_port", "is the service's own port")
