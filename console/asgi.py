"""The web process: pages and API (Django), browsers' WebSockets (Channels), agents' WebSockets (plain ASGI)."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
pages = get_asgi_application()

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from agents.wire import LINK_PATH
from console.live import feed, link
from console.live.consumers import LiveConsumer
from console.search.index import index
from console.underway.watch import watch

# Every statement to the database lets go of the interpreter, and whoever waits for it back waits this long while
# another thread computes. At Python's 5 ms, a transaction of eight statements stood still for 40.
sys.setswitchinterval(0.0005)

websocket_routes = [path("ws/live/", LiveConsumer.as_asgi())]
browsers = ProtocolTypeRouter(
    {
        "http": pages,
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
