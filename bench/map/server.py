"""A light server: pages, scripts and the live WebSocket with the console's own frames, and nothing else of it."""

from __future__ import annotations

import asyncio
import mimetypes
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.map.fleet import Fleet
from bench.results import ROOT
from console.live.frames import Frames

#: As console.live.feed has it.
TICK_S = 0.25
#: The console's own policy; what a peer does against it fails here as it would there.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class MapServer:
    """An ASGI application. pages: HTML or JSON by path; folders: what is served below a path's beginning."""

    def __init__(
        self, fleet: Fleet, pages: Mapping[str, str], folders: Mapping[str, Path] | None = None
    ) -> None:
        self.fleet = fleet
        self.pages = dict(pages)
        self.folders = {"/static/": ROOT / "static", **(folders or {})}
        self.directory = fleet.directory()
        self.asked = 0  # how often a browser asked for a snapshot
        self._frames = Frames()
        self._frames.tick(fleet.columns, time.monotonic())
        self._browsers: set[asyncio.Queue[bytes]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await self._browse(receive, send)
        else:
            await self._answer(scope["path"], send)

    async def run(self, updates_per_s: float) -> None:
        """Let hosts report, and send what came of it every TICK_S, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.fleet.report(int(updates_per_s * TICK_S), time.monotonic())
            self.tick()

    def tick(self, *, lost: bool = False) -> None:
        """Send the browsers what changed; lost: make that frame, and send it to nobody."""
        frame = self._frames.tick(self.fleet.columns, time.monotonic())
        for queue in self._browsers:
            if not lost:
                queue.put_nowait(frame)

    async def _browse(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": self.directory})
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queue.put_nowait(self._frames.snapshot(time.monotonic()))
        self._browsers.add(queue)
        pump = asyncio.create_task(_pump(queue, send))
        try:
            while (message := await receive())["type"] == "websocket.receive":
                if message.get("text") == "snapshot":
                    self.asked += 1
                    queue.put_nowait(self._frames.snapshot(time.monotonic()))
        finally:
            self._browsers.discard(queue)
            pump.cancel()

    async def _answer(self, path: str, send: Any) -> None:
        status, kind, body = 200, "text/html; charset=utf-8", b""
        if path in self.pages:
            body = self.pages[path].encode()
            kind = "application/json" if self.pages[path].startswith("{") else kind
        elif (file := self._file(path)) is not None:
            kind, body = mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()
        else:
            status = 404
        headers = [(b"content-type", kind.encode()), (b"content-security-policy", POLICY.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _file(self, path: str) -> Path | None:
        for prefix, folder in self.folders.items():
            if path.startswith(prefix):
                file = (folder / path.removeprefix(prefix)).resolve()
                return file if file.is_file() and file.is_relative_to(folder.resolve()) else None
        return None


async def _pump(queue: asyncio.Queue[bytes], send: Any) -> None:
    while True:
        await send({"type": "websocket.send", "bytes": await queue.get()})


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
