"""Browsers' WebSocket: the directory of hosts as text, frames of their state as binary.

A browser says one thing only: "snapshot", where it missed a frame.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from importlib import import_module

from channels.auth import get_user
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from console.accounts.models import Role
from console.accounts.second_factor import is_missing
from console.live.feed import current
from console.underway.watch import watch

CHECK_SESSION_S = 30.0
#: Who asks for a snapshot sooner again is not answered: the next gap makes it ask again.
RESYNC_S = 1.0


class LiveConsumer(AsyncWebsocketConsumer):
    """One browser. It only listens; a role of viewer is asked, and asked again while it is connected."""

    async def connect(self) -> None:
        user = self.scope["user"]
        held_up = is_missing(user, self.scope["session"])
        if not user.is_authenticated or not user.has_role(Role.VIEWER) or held_up:
            await self.close(4401)
            return
        await self.accept()
        self._out = False
        self._resynced_at = -RESYNC_S
        self._queue = current().subscribe()
        self._task = asyncio.create_task(self._pump())

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "_task"):
            current().unsubscribe(self._queue)
            self._task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """A browser that missed a frame asks for a snapshot; a client that says anything else is not ours."""
        if text_data != "snapshot":
            await self.close(4400)
        elif time.monotonic() - self._resynced_at >= RESYNC_S:
            self._resynced_at = time.monotonic()
            current().resync(self._queue)

    async def _pump(self) -> None:
        # A browser that left in the middle of a frame shows as a broken pipe: nothing to tell it, nothing to log.
        with suppress(OSError):
            try:
                await self._show()
            finally:
                # However else it ends, the browser learns of it and comes back.
                await self.close(4401 if self._out else 1011)

    async def _show(self) -> None:
        """Send until the session is gone."""
        shown: int | None = None
        told: int | None = None
        checked = time.monotonic()
        while True:
            message = await self._queue.get()
            if time.monotonic() - checked > CHECK_SESSION_S:
                checked = time.monotonic()
                if not await self._still_in():
                    self._out = True
                    return
            version, directory = current().directory()
            if version != shown:
                shown = version
                await self.send(text_data=directory)
            if watch.tasks is not None and watch.version != told:
                told = watch.version
                lines = watch.rendered(Role(self.scope["user"].role))
                await self.send(text_data=json.dumps({"type": "underway", "lines": lines}))
            await self.send(bytes_data=message)

    async def _still_in(self) -> bool:
        """Whether the session is there, not run out and not made void by a new password, and its user may look."""
        session = import_module(settings.SESSION_ENGINE).SessionStore(self.scope["session"].session_key)
        user = await get_user({"session": session})
        return bool(user.is_authenticated and user.has_role(Role.VIEWER) and not is_missing(user, session))
