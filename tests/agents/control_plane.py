"""The control plane's end of the wire for tests: a real WebSocket server that records and answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any, TypeVar

from websockets.asyncio.server import Request, Response, Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from agents import wire

Message = TypeVar("Message")


class ControlPlane:
    """Accepts agents; everything they say is in `said`, everything shown at the door in `bearers`.

    status: answered instead of an upgrade. door: a close code instead of a welcome.
    judge: answers job events.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.door: int | None = None
        self.host: str | None = None
        self.report_interval_s = 0.05
        self.keepalive_s = 60.0
        self.judge: Callable[[wire.JobEvent], wire.JobAnswer | None] = lambda event: wire.JobAnswer(
            event.ref, True
        )
        self.turned_away = 0
        self.bearers: list[str] = []
        self.hellos: list[wire.Hello] = []
        self.said: list[wire.Upward] = []
        self.connections: list[ServerConnection] = []
        self._moved = asyncio.Condition()
        self._server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[ControlPlane]:
        async with serve(
            self._talk,
            "127.0.0.1",
            self.port,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
        ) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def wait_for(self, found: Callable[[], Any], within_s: float = 15.0) -> Any:
        """Wait until `found` gives something true, and give it."""
        async with asyncio.timeout(within_s), self._moved:
            await self._moved.wait_for(found)
            return found()

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.said if isinstance(message, kind)]

    async def send(self, message: wire.Downward) -> None:
        await self.connections[-1].send(wire.encode(message))

    async def command(self, verb: str, args: dict[str, Any], **more: Any) -> wire.Outcome:
        """Send a command and wait for its outcome."""
        fields: dict[str, Any] = {"id": f"c{len(self.said)}-{verb}", "epoch": 1, "expires_in_s": 30.0} | more
        before = len(self.said)
        await self.send(wire.Command(verb=verb, args=args, **fields))

        def answered() -> list[wire.Outcome]:
            return [
                m for m in self.said[before:] if isinstance(m, wire.Outcome) and m.command == fields["id"]
            ]

        return (await self.wait_for(answered))[0]

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        assert request.path == wire.LINK_PATH
        self.bearers.append(request.headers["Authorization"])
        if self.status is None:
            return None
        response = connection.respond(HTTPStatus(self.status), "")
        response.headers.update(self.headers)
        return response

    async def _talk(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            hello = wire.decode_upward(await connection.recv())
            assert isinstance(hello, wire.Hello)
            if self.door is not None:
                await connection.close(self.door, "told so")
                self.turned_away += 1
                return
            await connection.send(
                wire.encode(wire.Welcome(self.host or hello.name, self.report_interval_s, self.keepalive_s))
            )
            async with self._moved:
                self.hellos.append(hello)
                self.connections.append(connection)
                self._moved.notify_all()
            async for frame in connection:
                message = wire.decode_upward(frame)
                answer = self.judge(message) if isinstance(message, wire.JobEvent) else None
                async with self._moved:
                    self.said.append(message)
                    self._moved.notify_all()
                if answer is not None:
                    await connection.send(wire.encode(answer))
