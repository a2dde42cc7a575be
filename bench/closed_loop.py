"""Some clients that each send their next request when the last is answered, over kept-alive connections."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.load.client import Connection
from bench.load.summary import percentile


class Unexpected(RuntimeError):
    """An answer with another status: what was measured is not what was meant."""


@dataclass(frozen=True, slots=True)
class Loop:
    """What a run of the loop came to."""

    requests: int
    rate_per_s: float
    p50_ms: float
    p99_ms: float


def post(url: str, path: str, token: str, body: bytes) -> bytes:
    """The bytes of an authenticated POST of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Token {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def get(url: str, path: str, token: str) -> bytes:
    """The bytes of an authenticated GET."""
    head = f"GET {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Token {token}\r\n\r\n"
    return head.encode("ascii")


async def drive(url: str, request: bytes, clients: int, seconds: float, status: int = 201) -> Loop:
    """Run the loop. Raises Unexpected for any other status, ConnectionError where the server breaks off."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    latencies: list[float] = []
    end_at = time.perf_counter() + seconds

    async def client() -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, host, port)
        try:
            while (began := time.perf_counter()) < end_at:
                answer = await connection.ask(request)
                if answer.status != status:
                    raise Unexpected(f"{url} answered {answer.status}, not {status}")
                latencies.append(time.perf_counter() - began)
        finally:
            connection.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    passed = time.perf_counter() - began
    latencies.sort()
    return Loop(
        len(latencies),
        len(latencies) / passed,
        percentile(latencies, 50) * 1000,
        percentile(latencies, 99) * 1000,
    )
