"""What services' settings name: other services, certificates, API keys, ports. All of it must be there and free."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from django.db import connection

from console.actions import Conflict, Invalid, is_storable
from console.engines.target import InvalidTarget, ServiceTarget, Settings
from console.engines.target.named import api_keys_named, certificates_named, services_named
from console.engines.target.settings import settings_of
from console.nodes.models import NodeToken
from console.traffic.models import ApiKey, Certificate, Service

LONGEST_DOCUMENT = 512 * 1024
#: The lock of whoever looks for a free listener, among PostgreSQL's advisory locks.
LISTENERS = 0x5354454C


def checked_settings(service: Service, document: Mapping[str, Any], prefix: str = "") -> Settings:
    """The settings that a document gives a service. Raises Invalid with the field's path (after prefix), Conflict."""
    whole = prefix.rstrip(".") or "settings"
    if not is_storable(document):
        raise Invalid(whole, "invalid", "holds a number without bounds, NUL or half characters")
    if len(json.dumps(document)) > LONGEST_DOCUMENT:
        raise Invalid(whole, "too-long", f"at most {LONGEST_DOCUMENT} characters")
    try:
        settings = settings_of(document)
        target = ServiceTarget(
            service.name, service.protocol, service.listen_address, service.listen_port, settings=settings
        )
    except InvalidTarget as error:
        field = error.field.removeprefix("settings.")
        raise Invalid(f"{prefix}{field}", "invalid", error.reason) from None
    for path, reason in _missing(service.name, settings):
        raise Invalid(f"{prefix}{path}", "unknown", reason)
    _check_free(target)
    return settings


def leads_elsewhere(settings: Settings) -> bool:
    """Whether a service with these settings has something to do without endpoints of its own."""
    http = settings.http
    return bool(http.routes or http.destinations or settings.front.sni)


def warnings_of(settings: Settings, nodes: Collection[str]) -> list[str]:
    """What is allowed and hardly meant. nodes: the names of the engines that are connected.

    A node may be named before it is there: that is no mistake, but until then nobody serves.
    """
    named = set(settings.engines) - set(nodes)
    unknown = (
        named - set(NodeToken.objects.filter(name__in=named).values_list("name", flat=True)) if named else ()
    )
    return [f"No engine is called {name}: nobody serves this service there." for name in sorted(unknown)]


def leading_to(service: str) -> list[str]:
    """The other services whose settings lead to this one."""
    return [
        other.name
        for other in Service.objects.exclude(name=service).exclude(settings={})
        if service in services_named(settings_of(other.settings)).values()
    ]


def certificate_users() -> dict[str, list[str]]:
    """Certificate -> the services that end TLS with it, show it to endpoints, or trust its CA; in one read of
    all services."""
    return _users(lambda settings: {name for name, _, _ in certificates_named(settings)})


def api_key_users() -> dict[str, list[str]]:
    """API key -> the services that it opens."""
    return _users(lambda settings: set(api_keys_named(settings).values()))


def _users(named: Callable[[Settings], set[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for service in Service.objects.exclude(settings={}):
        for name in named(settings_of(service.settings)):
            found.setdefault(name, []).append(service.name)
    return found


def _missing(own: str, settings: Settings) -> Iterator[tuple[str, str]]:
    """(field path, why what it names can't be used)."""
    services = services_named(settings)
    if services:
        protocols = dict(Service.objects.filter(name__in=services.values()).values_list("name", "protocol"))
        for path, name in services.items():
            wanted = "tcp" if path.startswith("front.sni") else "http"
            if name == own:
                if path.endswith("jwks.service") or "mirror" in path or wanted == "tcp":
                    yield path, "is the service itself"
            elif name not in protocols:
                yield path, f"no service is called {name}"
            elif protocols[name] != wanted:
                yield path, f"{name} is a {protocols[name]} service; {wanted} is needed"
    needed = list(certificates_named(settings))
    if needed:
        held = {
            each.name: each for each in Certificate.objects.filter(name__in=[name for name, _, _ in needed])
        }
        for name, path, ca in needed:
            if name not in held:
                yield path, f"no certificate is called {name}"
            elif not (held[name].ca if ca else held[name].chain):
                yield path, f"{name} has no {'CA' if ca else 'chain'}"
    keys = api_keys_named(settings)
    if keys:
        known = set(ApiKey.objects.filter(name__in=keys.values()).values_list("name", flat=True))
        for path, name in keys.items():
            if name not in known:
                yield path, f"no API key is called {name}"


def _check_free(target: ServiceTarget) -> None:
    """Two listeners on one address and port would fail in the engine; say it here."""
    if connection.vendor == "postgresql":
        # Until this transaction ends nobody else looks: of two that want one port, one must see the other.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LISTENERS])
    for other in Service.objects.exclude(name=target.name).exclude(listen_port=None):
        its = ServiceTarget(
            other.name,
            other.protocol,
            other.listen_address,
            other.listen_port,
            settings=settings_of(other.settings),
        )
        if taken := _overlap(target, its):
            raise Conflict("listener-taken", f"{other.name} listens on {taken} already")


def _overlap(one: ServiceTarget, other: ServiceTarget) -> str:
    """A transport, address and port of other that one wants too; "" if there is none."""
    if one.listen_address is None or other.listen_address is None:
        return ""
    pair = [ipaddress.ip_address(each) for each in (one.listen_address, other.listen_address)]
    if pair[0] != pair[1] and not any(each.is_unspecified for each in pair):
        return ""
    wanted = {_bare(key) for key in one.listen_keys}
    return next((key for key in other.listen_keys if _bare(key) in wanted), "")


def _bare(key: str) -> tuple[str, str]:
    """Transport and port, without the address."""
    return key.partition(" ")[0], key.rpartition(":")[2]
