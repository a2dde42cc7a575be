"""What every part of a target is held to, and the error that names the field."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

#: A DNS label, as for hosts in agents.wire (which the engines do not import).
NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: What a zone may be called: a label's value, or nothing.
ZONE_PATTERN = re.compile(r"[A-Za-z0-9._-]{0,63}")


class InvalidTarget(ValueError):
    """A value no product should see. field: which one; reason: one sentence for people."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def join_address(address: str, port: int) -> str:
    """address and port as one text, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def check_name(field: str, value: str) -> None:
    if not isinstance(value, str) or not NAME_PATTERN.fullmatch(value):
        raise InvalidTarget(field, f"{value!r} is not a DNS label (a-z, 0-9, inner '-', at most 63)")


def check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidTarget(field, f"{value!r} is none of {', '.join(choices)}")


def check_integer(field: str, value: int, most: int, least: int = 1) -> None:
    # bool is an int to Python; a weight of True is a caller's mistake.
    if type(value) is not int or not least <= value <= most:
        raise InvalidTarget(field, f"{value!r} is not a whole number from {least} to {most}")


def check_unique(field: str, keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise InvalidTarget(field, f"{key} is there twice")
        seen.add(key)


def canonical_address(field: str, value: str) -> str:
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
