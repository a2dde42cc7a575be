"""What a settings document names outside itself, each with the path of the field that does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from console.engines.target import TrafficTarget
from console.engines.target.pool.upstream import SYSTEM
from console.engines.target.settings import Settings


def services_named(settings: Settings) -> dict[str, str]:
    """Field path -> service that is led to, copied to, or asked for keys."""
    found = {f"http.{path}": name for path, name in settings.http.services().items()}
    return found | {f"front.sni[{n}].service": each.service for n, each in enumerate(settings.front.sni)}


def certificates_named(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """(certificate, field path, whether it is its CA that is needed)."""
    upstream = settings.pool.upstream.tls
    if upstream is not None and upstream.authority != SYSTEM:
        yield upstream.authority, "pool.upstream.tls.authority", True
    if upstream is not None and upstream.certificate:
        yield upstream.certificate, "pool.upstream.tls.certificate", False
    tls = settings.front.tls
    if tls is None:
        return
    for place, name in enumerate(tls.certificates):
        yield name, f"front.tls.certificates[{place}]", False
    if tls.clients is not None:
        yield tls.clients.ca, "front.tls.clients.ca", True


def api_keys_named(settings: Settings) -> dict[str, str]:
    """Field path -> API key."""
    http = settings.http
    found = {f"http.api_keys[{n}]": name for n, name in enumerate(http.api_keys or ())}
    for place, route in enumerate(http.routes):
        found |= {f"http.routes[{place}].api_keys[{n}]": name for n, name in enumerate(route.api_keys or ())}
    return found


def with_its_secrets(target: TrafficTarget) -> TrafficTarget:
    """Without the certificates and keys that none of its services names: a node holds what it uses, no more."""
    documents = [each.settings for each in target.services]
    certificates = {name for each in documents for name, _, _ in certificates_named(each)}
    keys = {name for each in documents for name in api_keys_named(each).values()}
    return replace(
        target,
        certificates=tuple(each for each in target.certificates if each.name in certificates),
        api_keys=tuple(each for each in target.api_keys if each.name in keys),
    )
