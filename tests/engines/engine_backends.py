"""Real little servers to balance between, with doors for a test: hold answers, count, die."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter

from console.engines.target import EndpointState, EndpointTarget


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Backend:
    """What the servers share: a name, an address, connections that can be cut."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def endpoint(self, weight: int = 1, state: EndpointState = "healthy") -> EndpointTarget:
        """This backend as an endpoint."""
        return EndpointTarget(self.name, "127.0.0.1", self.port, weight, state)

    async def kill(self) -> None:
        """Die as a killed process does: listen no more, reset every connection."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self.serve(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        raise NotImplementedError


class EchoBackend(Backend):
    """Sends every line back, its name before it."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(self.name.encode() + b" " + line)
            await writer.drain()


class HttpBackend(Backend):
    """HTTP/1.1 with keep-alive: answers its name and the request's headers, when the gate is open."""

    def __init__(self, name: str, status: int = 200) -> None:
        super().__init__(name)
        self.status = status
        self.gate = asyncio.Event()
        self.gate.set()
        self.methods: Counter[str] = Counter()
        self.in_flight = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            await reader.readexactly(int(headers.get("content-length", 0)))
            self.methods[head.split(" ", 1)[0].upper()] += 1
            self.in_flight += 1
            try:
                await self.gate.wait()
            finally:
                self.in_flight -= 1
            body = "\n".join([self.name, *headers]).encode()
            status = f"HTTP/1.1 {self.status} Told\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(status.encode() + body)
            await writer.drain()
