"""The map's page and live frames on a light server, where a test says what hosts report and what gets lost."""

from __future__ import annotations

import asyncio
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn

from bench.map.fleet import Fleet
from bench.map.pages import GRID, MAP, render
from bench.map.server import MapServer
from console.supervisor.ports import free_port

START_S = 20.0


class LightConsole:
    """For the length of a block, in a thread of its own. choice: of the map, and the table's columns."""

    def __init__(self, hosts: int, names: list[str] | None = None, **choice: str) -> None:
        self.fleet = Fleet(hosts, time.monotonic())
        self.server = MapServer(
            self.fleet,
            {
                "/": render("fleet/map.html", MAP, hosts, **choice),
                "/hosts/": render("fleet/hosts.html", GRID, hosts, **choice),
            },
        )
        if names:
            self.server.directory = self.fleet.directory(names)
        self.url = ""
        self._uvicorn: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + START_S
        while self._uvicorn is None or not self._uvicorn.started:
            assert time.monotonic() < deadline, "the light server did not start"
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True
        self._thread.join()

    def say(self, row: int, **figures: Any) -> None:
        """A host reports, or is in another state; browsers learn of it with the next tick."""
        self.fleet.say(row, now=time.monotonic(), **figures)

    def tick(self, *, lost: bool = False) -> None:
        """Send what changed; lost: to nobody."""
        assert self._loop is not None
        done = threading.Event()

        def send() -> None:
            self.server.tick(lost=lost)
            done.set()

        self._loop.call_soon_threadsafe(send)
        assert done.wait(5)

    def _run(self) -> None:
        port = free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{port}/"
        options: dict[str, Any] = {"host": "127.0.0.1", "port": port, "log_level": "error"}
        self._uvicorn = uvicorn.Server(uvicorn.Config(self.server, ws="websockets-sansio", **options))
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        assert self._uvicorn is not None
        await self._uvicorn.serve()
