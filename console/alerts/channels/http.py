"""Posting JSON to an address that an administrator named: bounded, without redirects, never to a cloud's metadata."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import httpx

TIMEOUT_S = 5.0


class NotSent(Exception):
    """The channel did not take it; the sentence says why, and holds no secret."""


def check(address: str) -> None:
    """Raises ValueError unless it is an http or https URL of a host."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an http or https URL of a host")
    if parts.username or parts.password:
        raise ValueError("no name and password in the URL: it is shown in errors")
    _ = parts.port  # raises ValueError


def post(address: str, body: bytes, headers: dict[str, str]) -> None:
    """POST once. Raises NotSent. A redirect is not followed: it could lead where the address may not."""
    host = urlsplit(address).hostname or ""
    try:
        found = {each[4][0] for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        raise NotSent(f"{host} is not found") from None
    for each in found:
        parsed = ipaddress.ip_address(str(each).partition("%")[0])
        if parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
            raise NotSent(f"{host} is {parsed}, where no receiver is")
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream(
                "POST", address, content=body, headers={"Content-Type": "application/json", **headers}
            ) as answer,
        ):
            status = answer.status_code  # what else it says is nobody's business here
    except httpx.HTTPError as error:
        raise NotSent(f"{host} does not answer ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise NotSent(f"{host} answered {status}")
