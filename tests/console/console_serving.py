"""The real ASGI application under the real server, on a free port, inside a test's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from agents import wire


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The test run's signals stay its own."""
        yield


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """HOST:PORT of the console, as `steelyard up` would start it."""
    from console.asgi import application

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            application, lifespan="on", log_level="warning", access_log=False, proxy_headers=False,
            ws_max_size=wire.MAX_FRAME_BYTES, ws_per_message_deflate=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not task.done(), task
            await asyncio.sleep(0.01)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class AgentConnection:
    """An agent's end of the link that says exactly what a test makes it say."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, message: Any) -> None:
        await self.socket.send(message if isinstance(message, bytes | str) else wire.encode(message))

    async def hear(self, kind: type[Any] | None = None) -> Any:
        """The next message; with kind, the next of that kind."""
        async with asyncio.timeout(10):
            while True:
                message = wire.decode_downward(await self.socket.recv())
                if kind is None or isinstance(message, kind):
                    return message

    async def end(self) -> tuple[int | None, str]:
        """Close code and reason, once the other side has closed."""
        async with asyncio.timeout(10):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason or ""


@contextlib.asynccontextmanager
async def linked(address: str, bearer: str, *first: Any) -> AsyncIterator[AgentConnection]:
    """A connection with this Authorization header on which the first messages were said."""
    headers = {"Authorization": bearer} if bearer else {}
    async with connect(
        f"ws://{address}{wire.LINK_PATH}", additional_headers=headers, max_size=None, close_timeout=2
    ) as socket:
        connection = AgentConnection(socket)
        for message in first:
            await connection.say(message)
        yield connection


@contextlib.asynccontextmanager
async def joined(address: str, cluster: Any, name: str, **capacity: float) -> AsyncIterator[AgentConnection]:
    """A host that joins now and is welcome."""
    from console.live.threads import in_thread

    token = await in_thread(cluster.token)
    async with linked(address, wire.enrol_bearer(token), cluster.hello(name, **capacity)) as connection:
        assert isinstance(await connection.hear(), wire.Welcome)
        yield connection
