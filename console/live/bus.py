"""The bell wire between processes: Redis pub/sub.

Rule: nothing that is only here matters. A lost message costs at most one sweep
(a second) of delay; a lost broker costs the other processes the live picture, not the truth.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable

import redis
import redis.asyncio
import redis.asyncio.retry
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

# Redis keeps keys apart by database number, but not channels: installations that share a broker
# would hear each other's hosts. So the number is in the name.
_NAME = f"steelyard.{redis.connection.parse_url(settings.REDIS_URL).get('db', 0)}"
TICKS = f"{_NAME}.ticks"  # live.ticks.Tick: measurements of hosts
BELLS = f"{_NAME}.bells"  # what changed in the database: see bells
TRAFFIC = f"{_NAME}.traffic"  # traffic.view.TrafficSeen: what the engines see and what they were told

RETRY_S = 0.5
_TROUBLES = (redis.exceptions.RedisError, OSError)

#: After a bell that could not be rung, none is tried for so long: a broker that hangs costs one request its
#: timeout, not every one.
DEAF_S = 1.0

_client: redis.Redis | None = None
_deaf_until = 0.0


def ring(channel: str, payload: bytes) -> bool:
    """Publish from synchronous code. False (and a warning) when the broker is away: callers go on."""
    global _client, _deaf_until
    if _client is None:
        # Once more on a connection that the broker closed, never with the client's own pauses of seconds.
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1)
        )
    if time.monotonic() < _deaf_until:
        return False
    try:
        _client.publish(channel, payload)
    except _TROUBLES as error:
        _deaf_until = time.monotonic() + DEAF_S
        log.warning("broker away, bell on %s not rung: %s", channel, error)
        return False
    return True


class Bus:
    """The same for asyncio code: one connection to publish, one to listen, both reconnecting."""

    def __init__(self, url: str | None = None) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            url or settings.REDIS_URL,
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 1),
        )
        self.lost_messages = 0
        self.connected = False

    async def publish(self, channel: str, payload: bytes) -> None:
        """Send to whoever listens; when the broker is away, count it and go on."""
        try:
            await self._redis.publish(channel, payload)
        except _TROUBLES:
            self.lost_messages += 1

    async def listen(
        self, *channels: str, on_connect: Callable[[], None] | None = None
    ) -> AsyncIterator[tuple[str, bytes]]:
        """Messages as (channel, payload), for ever, over reconnects.

        on_connect is called at each (re)connect: what rang in between was missed, so look again.
        """
        while True:
            pubsub = self._redis.pubsub()
            try:
                await pubsub.subscribe(*channels)
                self.connected = True
                if on_connect is not None:
                    on_connect()
                while True:
                    # Polling with a timeout notices a dead broker; a bare listen() can wait for ever.
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                    if message is not None:
                        yield message["channel"].decode(), message["data"]
            except _TROUBLES as error:
                if self.connected:
                    log.warning("broker away: %s", error)
                self.connected = False
                await asyncio.sleep(RETRY_S)
            finally:
                await pubsub.aclose()

    async def close(self) -> None:
        await self._redis.aclose()
