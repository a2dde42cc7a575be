"""What the tests of a service's front share: backends that tell what they were asked, services with settings."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import replace
from typing import Any

import httpx
from engine_backends import Backend
from envoy_rig import eventually, service, url

from console.engines.target import EndpointTarget, ServiceTarget
from console.engines.target.settings import settings_of

#: Made once: each client would else read all of the machine's authorities.
CONTEXT = ssl.create_default_context()


class TellingBackend(Backend):
    """HTTP/1.1: answers what it was asked, as JSON. statuses: of the next answers, then 200; wait_s: before each."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.wait_s: list[float] = []
        self.cut = 0
        self.body: str | None = None
        self.content_type = "application/json"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            method, path, _ = head.split(" ")
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            told = {
                "name": self.name,
                "method": method,
                "path": path,
                "headers": headers,
                "body": len(body),
            }
            self.asked.append(told)
            if self.cut:
                self.cut -= 1
                return
            if self.wait_s:
                await asyncio.sleep(self.wait_s.pop(0))
            status = self.statuses.pop(0) if self.statuses else 200
            answer = (json.dumps(told) if self.body is None else self.body).encode()
            fields = f"content-length: {len(answer)}\r\ncontent-type: {self.content_type}\r\nx-inside: 1"
            writer.write(f"HTTP/1.1 {status} Told\r\n{fields}\r\n\r\n".encode() + answer)
            await writer.drain()


def pool(name: str, *endpoints: EndpointTarget) -> ServiceTarget:
    """An HTTP service that listens nowhere."""
    return replace(service(name, "http", *endpoints), listen_address=None, listen_port=None)


def having(target: ServiceTarget, **document: Any) -> ServiceTarget:
    """The service with these settings: front=..., http=..."""
    return replace(target, settings=settings_of(document))


async def ask(target: ServiceTarget, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:
    """One request to a service, on a connection of its own."""
    async with httpx.AsyncClient(trust_env=False, timeout=10, verify=CONTEXT) as client:
        return await client.request(method, url(target).rstrip("/") + path, **more)


async def who(target: ServiceTarget, path: str = "/", **more: Any) -> str:
    """The backend that answered, or the status if none did."""
    answer = await ask(target, path, **more)
    return str(answer.json()["name"]) if answer.status_code == 200 else str(answer.status_code)


async def answers_with(status: int, target: ServiceTarget, path: str = "/", **more: Any) -> bool:
    """Wait until a request gets this status: routes follow a listener a moment later."""

    async def there() -> bool:
        try:
            return (await ask(target, path, **more)).status_code == status
        except httpx.TransportError:
            return False

    return await eventually(there)
