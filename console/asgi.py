"""The web process: pages and API (Django), browsers' WebSockets (Channels), agents' WebSockets (plain ASGI)."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import django
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup(set_prefix=False)

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from agents.wire import LINK_PATH
from console.live import feed, link
from console.live.consumers import LiveConsumer
from console.live.threads import Threads
from console.search.index import index
from console.underway.watch import watch

# Every statement to the database lets go of the interpreter, and whoever waits for it back waits this long while
# another thread computes. At Python's 5 ms, a transaction of eight statements stood still for 40.
sys.setswitchinterval(0.0005)


class Pages(ASGIHandler):
    """Django's handler, with the whole way of a request through middleware and view on one thread, in one go.

    As it comes, a request goes to a thread and back again and again (eight times for the login page), and waits for the
    interpreter at each; and the thread is a new one for each request, as is its connection to the database.
    """

    _threads = Threads(40, "pages")

    def load_middleware(self, is_async: bool = False) -> None:
        """For views and middleware that block, whatever could wait."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """On one of the pages' threads."""
        return await self._threads.run(self.get_response, request)


websocket_routes = [path("ws/live/", LiveConsumer.as_asgi())]
browsers = ProtocolTypeRouter(
    {
        "http": Pages(),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_routes))),
    }
)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket" and scope["path"] == LINK_PATH:
        await link.application(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await browsers(scope, receive, send)


async def _live(receive: Any, send: Any) -> None:
    """Start the live feed with the server and stop it with it."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            try:
                await feed.start()
                looking = [
                    asyncio.create_task(feed.forever(work), name=name)
                    for name, work in (("underway.watch", watch.run), ("search.index", index.keep_warm))
                ]
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": repr(error)})
                raise
            await send({"type": "lifespan.startup.complete"})
        else:
            await feed.end(looking)
            await feed.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
