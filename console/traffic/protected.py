"""Addresses that no service may lead to: the control plane's own. Whoever reaches one of these steers everything.

Engines' own administration is not among them: it has no address, only a socket in a folder of its owner.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from urllib.parse import urlsplit

import psutil
from django.conf import settings

_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}


def why_protected(address: str, port: int) -> str | None:
    """What listens there that is not for services' clients; None if nothing does."""
    for what, where, its_port in _protected():
        if port == its_port and _is_there(address, where):
            return what
    return None


def _protected() -> list[tuple[str, str, int]]:
    """(what it is, its address, its port)."""
    host, _, port = settings.STEELYARD_LISTEN.rpartition(":")
    found = [("the console", host.strip("[]"), int(port))]
    for url in (settings.REDIS_URL, settings.STEELYARD_WORKERS_BROKER):
        broker = urlsplit(url)
        if broker.hostname:
            found.append(("the broker", broker.hostname, broker.port or _PORTS.get(broker.scheme, 6379)))
    database = settings.DATABASES["default"]
    if database.get("HOST", "").strip("/") and not database["HOST"].startswith("/"):
        found.append(("the database", database["HOST"], int(database.get("PORT") or 5432)))
    return found


def _is_there(address: str, where: str) -> bool:
    """Whether address is where, which may be a name, or every address of this machine."""
    asked = ipaddress.ip_address(address)
    if where in ("localhost", ""):
        return asked.is_loopback
    try:
        listening = ipaddress.ip_address(where)
    except ValueError:
        return str(asked) in _resolved(where)
    if listening.is_unspecified:
        return asked.is_loopback or str(asked) in _own_addresses()
    return asked == listening


@lru_cache(maxsize=16)
def _resolved(name: str) -> frozenset[str]:
    """The addresses of a name, as they were when this process first asked."""
    try:
        return frozenset(str(each[4][0]) for each in socket.getaddrinfo(name, None))
    except OSError:
        return frozenset()


def _own_addresses() -> set[str]:
    return {each.address.partition("%")[0] for found in psutil.net_if_addrs().values() for each in found}
