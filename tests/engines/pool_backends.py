"""Backends that tell what reached them: paths, connections, the client's line, TLS names."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections import Counter
from typing import Any

from engine_backends import Backend
from envoy_rig import service

from console.engines.target import EndpointTarget, Protocol, ServiceTarget
from console.engines.target.pool import Pool
from console.engines.target.settings import Settings


def pooled(name: str, protocol: Protocol, pool: Pool, *endpoints: EndpointTarget) -> ServiceTarget:
    """A service of the rig with these settings of its pool."""
    built = service(name, protocol, *endpoints)
    return ServiceTarget(
        built.name,
        protocol,
        built.listen_address,
        built.listen_port,
        endpoints,
        Settings(pool=pool),
    )


class PathBackend(Backend):
    """HTTP/1.1 by path: statuses says what a path is answered with (200 if nothing), failing cycles through statuses.

    proxy_line: a line in front of each connection is read and kept (or 28 bytes, of version 2).
    """

    def __init__(self, name: str, tls: ssl.SSLContext | None = None, proxy_line: str = "") -> None:
        super().__init__(name)
        self.statuses: dict[str, int] = {}
        self.cycle: itertools.cycle[int] | None = None
        self.paths: Counter[str] = Counter()
        self.connections = 0
        self.lines: list[bytes] = []
        self.hosts: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.in_flight = 0
        self._tls = tls
        self._proxy_line = proxy_line

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._proxy_line:
            self.lines.append(
                await (reader.readline() if self._proxy_line == "v1" else reader.readexactly(28))
            )
        first = True
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.connections += first
            first = False
            path = head.split(" ", 2)[1]
            self.paths[path] += 1
            self.hosts += [line[6:] for line in head.lower().split("\r\n") if line.startswith("host: ")]
            status = self.statuses.get(path.partition("?")[0], 200)
            if self.cycle is not None and path == "/":
                status = next(self.cycle)
            self.in_flight += 1
            try:
                await self.gate.wait()
            finally:
                self.in_flight -= 1
            body = self.name.encode()
            writer.write(f"HTTP/1.1 {status} Told\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()


class DatagramBackend(asyncio.DatagramProtocol):
    """Answers each datagram with its name, where it is not told to be silent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.silent = False
        self.got: Counter[bytes] = Counter()
        self.port = 0
        self._transport: Any = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", self.port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got[data] += 1
        if not self.silent:
            self._transport.sendto(self.name.encode(), addr)

    def endpoint(self, state: Any = "healthy") -> EndpointTarget:
        return EndpointTarget(self.name, "127.0.0.1", self.port, 1, state)

    async def kill(self) -> None:
        self._transport.close()


class DatagramClient(asyncio.DatagramProtocol):
    """One client address and port; ask() returns who answered, None within half a second."""

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport: Any
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._answers.put_nowait(data)

    async def ask(self, port: int) -> str | None:
        self._transport.sendto(b"who", ("127.0.0.1", port))
        try:
            return (await asyncio.wait_for(self._answers.get(), 0.5)).decode()
        except TimeoutError:
            return None

    def close(self) -> None:
        self._transport.close()
