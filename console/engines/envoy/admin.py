"""Reading Envoy's admin interface over its Unix socket."""

from __future__ import annotations

import httpx

TIMEOUT_S = 2.0


class AdminUnreachable(ConnectionError):
    """The admin socket did not answer: the Envoy is not there, or not yet."""


async def get(admin_socket: str, path: str) -> httpx.Response:
    """GET path from the admin socket; any status. Raises AdminUnreachable."""
    # A Unix socket has no TLS and no proxy; looking for them costs 40 ms of cpu a call.
    transport = httpx.AsyncHTTPTransport(uds=admin_socket, verify=False)
    try:
        async with httpx.AsyncClient(
            transport=transport,
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=False,  # noqa: S501
        ) as client:
            return await client.get(f"http://envoy{path}")
    except httpx.TransportError as error:
        raise AdminUnreachable(f"{admin_socket}: {error}") from error
